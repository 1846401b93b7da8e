/**
 * @module
 * The etcd v3 gRPC door that kube-apiserver talks to.
 * Knows: etcdserverpb messages, streams, gRPC status codes.
 * Leaves to others: revisions and transactions (store/), certificates (pki/).
 * Spec: etcd v3.7 rpc.proto; "KV API guarantees" and "Watch API guarantees" in etcd's learning guide.
 */
import type { Store } from '../store/store.ts';
import { authMethods } from './auth.ts';
import { clusterMethods } from './cluster.ts';
import type { GrpcMethods } from './grpc.ts';
import { openGrpcDoor } from './grpc-door.ts';
import type { Door } from './grpc-door.ts';
import { healthMethods } from './health.ts';
import { kagentMethods } from './kagent-service.ts';
import { kvMethods } from './kv.ts';
import { electionMethods } from './election.ts';
import { leaseMethods } from './lease.ts';
import { parseListenAddress } from './listen.ts';
import type { ListenTls } from './listen.ts';
import { lockMethods } from './lock.ts';
import { maintenanceMethods } from './maintenance.ts';
import { watchMethods } from './watch.ts';

export { connectDatastore } from './client/datastore.ts';
export type { DatastoreClient, DatastoreFacts } from './client/datastore.ts';
export { EtcdCallError } from './errors.ts';
export { connectKeys } from './client/keys.ts';
export type { KeyChange, KeyClient } from './client/keys.ts';
export type { ListenTls } from './listen.ts';
export type { DatastoreWorkerData, FromDatastore, ToDatastore } from './datastore-worker.ts';

export interface EtcdDoorOptions {
  readonly store: Store;
  /** `unix:///PATH`, `http://127.0.0.1:PORT` or `https://HOST:PORT`. */
  readonly listen: readonly string[];
  readonly tls?: ListenTls;
  /** May use a unix socket beside root. */
  readonly group?: number;
  readonly memberName?: string;
  readonly progressIntervalMs?: number;
}

export interface EtcdDoor {
  refuseNew(): void;
  close(): Promise<void>;
}

/** @throws {InvalidListenAddressError} @throws {ListenAddressInUseError} */
export async function openEtcdDoor(options: EtcdDoorOptions): Promise<EtcdDoor> {
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
  const doors: Door[] = [];
  for (const address of listen.map(parseListenAddress)) doors.push(await openGrpcDoor(methods, address, options));
  return {
    refuseNew: () => doors.forEach((door) => door.refuseNew()),
    close: async () => void (await Promise.all(doors.map((door) => door.close()))),
  };
}
