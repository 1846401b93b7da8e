/**
 * @module
 * A client of any etcd, as far as kagent itself needs one: its own keys, and what an operator asks of a datastore.
 * Knows: the messages of these few calls. Leaves to others: the connection (shared/grpc), what keys mean (callers).
 * Spec: etcd v3.7 rpc.proto.
 */
export type { EtcdEndpoints } from './channel.ts';
export { connectDatastore } from './datastore.ts';
export type { DatastoreClient, DatastoreFacts } from './datastore.ts';
export { EtcdCallError } from './errors.ts';
export { exportAll } from './export.ts';
export type { Digest, Export } from './export.ts';
export { connectKeys } from './keys.ts';
export { connectMembers } from './members.ts';
export type { EtcdMember, EtcdStatus, MembersClient } from './members.ts';
export type { KeyChange, KeyClient } from './keys.ts';
