/**
 * @module
 * The etcd v3 gRPC services that kube-apiserver talks to.
 * Knows: etcdserverpb messages, streams, gRPC status codes.
 * Leaves to others: revisions and transactions (store/), certificates (pki/).
 * Spec: etcd v3.7 rpc.proto; "KV API guarantees" and "Watch API guarantees" in etcd's learning guide.
 */
import { authMethods } from './auth.ts';
import { clusterMethods } from './cluster.ts';
import type { GrpcMethods } from '../../shared/grpc/grpc.ts';
import { openGrpcServer } from './grpc-server.ts';
import type { GrpcServer } from './grpc-server.ts';
import { healthMethods } from './health.ts';
import { kagentMethods } from './kagent-service.ts';
import { kvMethods } from './kv.ts';
import { electionMethods } from './election.ts';
import { leaseMethods } from './lease.ts';
import { parseListenAddress } from './listen.ts';
import { lockMethods } from './lock.ts';
import { maintenanceMethods } from './maintenance.ts';
import { watchMethods } from './watch.ts';
import type { EtcdServerOptions, EtcdServer } from './types.ts';

export type { DatastoreWorkerData, EtcdServer, EtcdServerOptions, FromDatastore, ToDatastore } from './types.ts';
export { kagentService } from './kagent-service.ts';
export { parseAddress, parseListenAddress } from './listen.ts';
export { compactedMessage } from './status.ts';
export type { ListenTls } from './listen.ts';

/** @throws {InvalidListenAddressError} @throws {ListenAddressInUseError} */
export async function openEtcdServer(options: EtcdServerOptions): Promise<EtcdServer> {
  const { store, listen } = options;
  const { clusterId, memberId } = store;
  const header = { clusterId, memberId };
  const methods: GrpcMethods = new Map([
    ...kvMethods(store, header),
    ...watchMethods(store, header, { progressIntervalMs: options.progressIntervalMs ?? 600_000 }),
    ...leaseMethods(store, header),
    ...maintenanceMethods(store, header),
    ...clusterMethods(header, { name: options.memberName ?? 'default', clientUrls: listen }),
    ...authMethods(store, header),
    ...healthMethods(),
    ...lockMethods(store, header),
    ...electionMethods(store, header),
    ...kagentMethods(store),
  ]);
  const servers: GrpcServer[] = [];
  for (const address of listen.map(parseListenAddress)) servers.push(await openGrpcServer(methods, address, options));
  return {
    refuseNew: () => servers.forEach((server) => server.refuseNew()),
    close: async () => void (await Promise.all(servers.map((server) => server.close()))),
  };
}
