/** The Maintenance and Cluster services, and gRPC's own health check, for a cluster of one member. */
import type { ProtoWriter, Store } from '../store/store.ts';
import { newMessage, unary } from './grpc.ts';
import type { GrpcMethod } from './grpc.ts';
import { raftTerm, writeHeader } from './proto/header.ts';
import type { Header } from './proto/header.ts';

/** The etcd whose API this is; clients choose their features by it. */
export const etcdVersion = '3.7.3';
const storageVersion = '3.7.0';

export interface MemberOptions {
  readonly name: string;
  readonly clientUrls: readonly string[];
}

export function maintenanceMethods(store: Store, header: Header, member: MemberOptions): [string, GrpcMethod][] {
  return [
    ['/etcdserverpb.Maintenance/Status', unary(() => status(store, header))],
    ['/etcdserverpb.Maintenance/Alarm', unary(() => onlyHeader(store, header))],
    ['/etcdserverpb.Cluster/MemberList', unary(() => memberList(store, header, member))],
    ['/grpc.health.v1.Health/Check', unary(() => Promise.resolve(serving()))],
  ];
}

async function status(store: Store, header: Header): Promise<ProtoWriter> {
  const stats = await store.stats();
  const reply = newMessage();
  writeHeader(reply, header, stats.revision);
  reply.text(2, etcdVersion);
  reply.int(3, stats.fileSizeBytes);
  reply.int(4, header.memberId); // the leader
  reply.int(5, stats.revision); // there is no raft log: its index, and
  reply.int(6, raftTerm);
  reply.int(7, stats.revision); // what is applied of it, are the revision
  reply.int(9, stats.usedSizeBytes);
  reply.text(11, storageVersion);
  return reply;
}

/** No alarm is ever raised yet. */
async function onlyHeader(store: Store, header: Header): Promise<ProtoWriter> {
  const reply = newMessage();
  writeHeader(reply, header, store.revision);
  return reply;
}

async function memberList(store: Store, header: Header, { name, clientUrls }: MemberOptions): Promise<ProtoWriter> {
  const reply = newMessage();
  writeHeader(reply, header, store.revision);
  reply.message(2, () => {
    reply.int(1, header.memberId);
    reply.text(2, name);
    for (const url of clientUrls) reply.text(4, url);
  });
  return reply;
}

function serving(): ProtoWriter {
  const reply = newMessage();
  reply.int(1, 1);
  return reply;
}
