/** The Maintenance service, for a cluster of one member. */
import { createHash } from 'node:crypto';
import type { Store } from '../store/store.ts';
import { streaming, unary } from './methods.ts';
import { raftTerm } from './proto/header.ts';
import type { Header } from './proto/header.ts';
import { alarmText, readAlarm, readDowngrade, readHashRevision, writeAlarms } from './proto/maintenance.ts';
import { replyWithHeader } from './reply.ts';
import { GrpcError, newMessage } from '../../shared/grpc/grpc.ts';
import type { GrpcMethod } from '../../shared/grpc/grpc.ts';
import type { ProtoReader, ProtoWriter } from '../../shared/protobuf/protobuf.ts';

/** The etcd whose API this is; clients choose their features by it. */
export const etcdVersion = '3.7.3';
const storageVersion = '3.7.0';
const clusterVersion = '3.7';

export function maintenanceMethods(store: Store, header: Header): [string, GrpcMethod][] {
  return [
    ['/etcdserverpb.Maintenance/Status', unary(() => status(store, header))],
    ['/etcdserverpb.Maintenance/Alarm', unary((request) => alarm(store, header, request))],
    ['/etcdserverpb.Maintenance/Defragment', unary(() => defragment(store))],
    ['/etcdserverpb.Maintenance/Hash', unary(() => hash(store, header))],
    ['/etcdserverpb.Maintenance/HashKV', unary((request) => hashKv(store, header, request))],
    ['/etcdserverpb.Maintenance/Snapshot', streaming(() => snapshot(store))],
    ['/etcdserverpb.Maintenance/MoveLeader', unary(moveLeader)],
    ['/etcdserverpb.Maintenance/Downgrade', unary((request) => downgrade(store, header, request))],
  ];
}

async function status(store: Store, header: Header): Promise<ProtoWriter> {
  const stats = await store.stats();
  const reply = replyWithHeader(header, stats.revision);
  reply.text(2, etcdVersion);
  reply.int(3, stats.fileSizeBytes);
  reply.int(4, header.memberId); // the leader
  reply.int(5, stats.revision); // there is no raft log: its index, and
  reply.int(6, raftTerm);
  reply.int(7, stats.revision); // what is applied of it, are the revision
  for (const raised of store.alarms.list()) reply.text(8, alarmText(raised));
  reply.int(9, stats.usedSizeBytes);
  reply.text(11, storageVersion);
  reply.int(12, stats.quotaBytes);
  reply.message(13, () => {}); // no downgrade is under way
  return reply;
}

async function alarm(store: Store, header: Header, request: ProtoReader): Promise<ProtoWriter> {
  const { action, memberId, type } = readAlarm(request);
  const { alarms } = store;
  const reply = replyWithHeader(header, store.revision);
  switch (action) {
    case 'get':
      writeAlarms(
        reply,
        alarms.list().filter((raised) => type === undefined || raised.type === type),
      );
      break;
    case 'activate':
      if (type !== undefined) writeAlarms(reply, [await alarms.activate(type, memberId)]);
      break;
    case 'deactivate': {
      const ended = type === undefined ? undefined : await alarms.deactivate(type, memberId);
      if (ended !== undefined) writeAlarms(reply, [ended]);
      break;
    }
    case undefined:
      throw new GrpcError('invalidArgument', 'etcdserver: unknown alarm action');
  }
  return reply;
}

async function defragment(store: Store): Promise<ProtoWriter> {
  await store.defragment();
  return newMessage();
}

/** In etcd the hash of the whole file, "for testing only"; here of what HashKV covers. */
async function hash(store: Store, header: Header): Promise<ProtoWriter> {
  const result = await store.hashKv(store.revision);
  const reply = replyWithHeader(header, result.hashRevision);
  reply.int(2, result.hash);
  return reply;
}

async function hashKv(store: Store, header: Header, request: ProtoReader): Promise<ProtoWriter> {
  const result = await store.hashKv(readHashRevision(request));
  const reply = replyWithHeader(header, store.revision);
  reply.int(2, result.hash);
  reply.int(3, result.compactRevision);
  reply.int(4, result.hashRevision);
  return reply;
}

/** The store's file, and the sha256 of all that as the last blob. */
async function* snapshot(store: Store): AsyncGenerator<ProtoWriter> {
  const { sizeBytes, chunks } = await store.snapshot();
  const checksum = createHash('sha256');
  let remainingBytes = sizeBytes;
  for await (const chunk of chunks) {
    checksum.update(chunk);
    remainingBytes -= chunk.length;
    yield snapshotPart(chunk, remainingBytes);
  }
  yield snapshotPart(checksum.digest(), 0);
}

function snapshotPart(blob: Uint8Array, remainingBytes: number): ProtoWriter {
  const message = newMessage(blob.length + 64);
  message.int(2, remainingBytes);
  message.bytes(3, blob);
  message.text(4, storageVersion);
  return message;
}

async function moveLeader(): Promise<never> {
  throw new GrpcError('failedPrecondition', 'etcdserver: bad leader transferee');
}

/** There is no older version of this store to go back to. */
async function downgrade(store: Store, header: Header, request: ProtoReader): Promise<ProtoWriter> {
  const { action, version } = readDowngrade(request);
  if (action === undefined) throw new GrpcError('unknown', 'etcdserver: unknown method');
  if (action !== 'cancel') {
    const isVersion = /^\d+\.\d+(?:\.\d+)?$/.test(version);
    const what = isVersion ? 'invalid downgrade target version' : 'wrong downgrade target version format';
    throw new GrpcError('invalidArgument', `etcdserver: ${what}`);
  }
  const reply = replyWithHeader(header, store.revision);
  reply.text(2, clusterVersion);
  return reply;
}
