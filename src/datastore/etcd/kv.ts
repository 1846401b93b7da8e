/** The KV service. */
import { InvalidRequestError, decodeRecord } from '../store/store.ts';
import type { Key, RangeQuery, RangeResult, Revision, Store, Txn } from '../store/store.ts';
import { maxRequestBytes } from './limits.ts';
import { streaming, unary } from './methods.ts';
import { writeHeader } from './proto/header.ts';
import type { Header } from './proto/header.ts';
import {
  readCompaction,
  readDeleteRange,
  readPut,
  readRange,
  readTxn,
  sizeHint,
  writeDeleteRangeResponse,
  writeKvs,
  writePutResponse,
  writeRangeResponse,
  writeTxnResponse,
} from './proto/kv.ts';
import { GrpcError, newMessage } from '../../shared/grpc/grpc.ts';
import type { GrpcMethod } from '../../shared/grpc/grpc.ts';
import type { ProtoReader, ProtoWriter } from '../../shared/protobuf/protobuf.ts';

export function kvMethods(store: Store, header: Header): [string, GrpcMethod][] {
  return [
    ['/etcdserverpb.KV/Range', unary((request) => range(store, header, request))],
    ['/etcdserverpb.KV/RangeStream', streaming((request) => chunks(store, header, readStreamedRange(request)))],
    ['/etcdserverpb.KV/Put', unary((request, size) => put(store, header, request, size))],
    ['/etcdserverpb.KV/DeleteRange', unary((request, size) => deleteRange(store, header, request, size))],
    ['/etcdserverpb.KV/Txn', unary((request, size) => txn(store, header, request, size))],
    ['/etcdserverpb.KV/Compact', unary((request) => compact(store, header, request))],
  ];
}

async function range(store: Store, header: Header, request: ProtoReader): Promise<ProtoWriter> {
  const result = await store.range(readRange(request));
  const reply = newMessage(sizeHint(result.records));
  writeRangeResponse(reply, header, result);
  return reply;
}

async function put(store: Store, header: Header, request: ProtoReader, sizeBytes: number): Promise<ProtoWriter> {
  checkSize(sizeBytes);
  const { responses } = await store.txn(justOne(readPut(request)));
  const reply = newMessage();
  for (const response of responses) if (response.kind === 'put') writePutResponse(reply, header, response);
  return reply;
}

async function deleteRange(
  store: Store,
  header: Header,
  request: ProtoReader,
  sizeBytes: number,
): Promise<ProtoWriter> {
  checkSize(sizeBytes);
  const { responses } = await store.txn(justOne(readDeleteRange(request)));
  const reply = newMessage();
  for (const response of responses) {
    if (response.kind === 'deleteRange') writeDeleteRangeResponse(reply, header, response);
  }
  return reply;
}

async function txn(store: Store, header: Header, request: ProtoReader, sizeBytes: number): Promise<ProtoWriter> {
  checkSize(sizeBytes);
  const result = await store.txn(readTxn(request));
  const reply = newMessage(256);
  writeTxnResponse(reply, header, result);
  return reply;
}

async function compact(store: Store, header: Header, request: ProtoReader): Promise<ProtoWriter> {
  const { revision, physical } = readCompaction(request);
  await store.compact(revision, physical);
  const reply = newMessage();
  writeHeader(reply, header, store.revision);
  return reply;
}

function justOne(operation: Txn['success'][number]): Txn {
  return { kind: 'txn', compare: [], success: [operation], failure: [] };
}

/** etcd measures a request inside of a raft entry: with an id, a tag and a length around it. */
const envelopeBytes = 17;

function checkSize(sizeBytes: number): void {
  if (sizeBytes + envelopeBytes > maxRequestBytes) throw new InvalidRequestError('request too large');
}

/** Keys in the first chunk, as etcd; then chunks of about `maxRequestBytes`. */
const firstChunkKeys = 10;

function readStreamedRange(request: ProtoReader): RangeQuery {
  const query = readRange(request);
  if (query.sortOrder === 'descend' || (query.sortTarget !== 'key' && query.sortOrder !== 'none')) {
    throw new GrpcError('unimplemented', 'RangeStream does not support custom sort orders');
  }
  if (query.minModRevision + query.maxModRevision + query.minCreateRevision + query.maxCreateRevision !== 0) {
    throw new GrpcError('unimplemented', 'RangeStream does not support revision filters');
  }
  return query;
}

/** All chunks read one revision; header, more and count are in the last one alone. */
async function* chunks(store: Store, header: Header, query: RangeQuery): AsyncGenerator<ProtoWriter> {
  let left = query.limit > 0 ? query.limit : Infinity;
  let limit = Math.min(firstChunkKeys, left);
  let part: RangeQuery = query.countOnly ? query : { ...query, limit };
  let sent = 0;
  let headerRevision: Revision | undefined;
  for (;;) {
    const result = await store.range(part);
    headerRevision ??= result.revision;
    sent += result.records.length;
    left -= result.records.length;
    const isLast = !result.more || left === 0;
    // The count of a part covers its own rest of the range.
    const count = sent - result.records.length + result.count;
    yield chunk(header, result, isLast ? { revision: headerRevision, more: result.more, count } : undefined);
    const lastRecord = result.records.at(-1);
    if (isLast || lastRecord === undefined) return;
    limit = nextLimit(limit, result);
    const revision = part.revision > 0 ? part.revision : headerRevision;
    const nextKey = keyAfter(lastRecord);
    part = { ...part, range: { ...part.range, key: nextKey }, revision, limit: Math.min(limit, left) };
  }
}

function chunk(
  header: Header,
  { records }: RangeResult,
  last: { readonly revision: Revision; readonly more: boolean; readonly count: number } | undefined,
): ProtoWriter {
  const message = newMessage(sizeHint(records));
  message.message(1, () => {
    if (last !== undefined) writeHeader(message, header, last.revision);
    writeKvs(message, records);
    if (last === undefined) return;
    message.bool(3, last.more);
    message.int(4, last.count);
  });
  return message;
}

/** As many keys as would have made the last chunk `maxRequestBytes` long, growing by no more than eight times. */
function nextLimit(limit: number, { records }: RangeResult): number {
  const size = records.reduce((sum, record) => sum + record.length, 1);
  return Math.max(1, Math.min(limit * 8, Math.ceil((limit * maxRequestBytes) / size)));
}

/** The smallest key that is greater. */
function keyAfter(record: Uint8Array): Key {
  return Buffer.concat([decodeRecord(record).key, Buffer.alloc(1)]) as Uint8Array as Key;
}
