/** By which addresses nodes reach this server: its own, and the one a node has come by. */
import { isIPv4 } from 'node:net';
import type { ServerAddress } from '../shared/protocol/channel.ts';

export interface ServerPorts {
  readonly supervisorPort: number;
  readonly httpsListenPort: number;
}

/**
 * @param reachedAt the address at which a connection of the node was accepted: it goes first, since the others may lead
 * elsewhere from there
 */
export function serversFor(
  own: ServerAddress,
  ports: ServerPorts,
  reachedAt: string | undefined,
): readonly ServerAddress[] {
  if (reachedAt === undefined || !isIPv4(reachedAt) || reachedAt.startsWith('127.')) return [own];
  const reached = addressesAt(reachedAt, ports);
  const isOwn = reached.supervisorUrl === own.supervisorUrl && reached.apiserverUrl === own.apiserverUrl;
  return isOwn ? [own] : [reached, own];
}

export function addressesAt(host: string, { supervisorPort, httpsListenPort }: ServerPorts): ServerAddress {
  return { supervisorUrl: `https://${host}:${supervisorPort}`, apiserverUrl: `https://${host}:${httpsListenPort}` };
}
