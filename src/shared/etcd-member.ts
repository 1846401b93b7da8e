/** Where this server's member of an etcd is: for what runs it, and for its clients on this box. */
import { join } from 'node:path';

/** As in k3s, and for etcd's clients everywhere. */
export const etcdPorts = { client: 2379, peer: 2380 } as const;

/** For clients on this box. */
export const etcdAddress = `https://127.0.0.1:${etcdPorts.client}`;

/** For the other members. */
export const etcdPeerUrl = (nodeIp: string) => `https://${nodeIp}:${etcdPorts.peer}`;

/** The member's name, which says that this server is one. @param dir etcd's data */
export const etcdNameFile = (dir: string) => join(dir, 'name');

/** What a client on this box shows, and who signs what it is shown. @param tls the server's folder of certificates */
export function etcdClientFiles(tls: string) {
  const of = (name: string) => join(tls, 'etcd', name);
  return { ca: of('server-ca.crt'), cert: of('client.crt'), key: of('client.key') } as const;
}
