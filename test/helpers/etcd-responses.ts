/** Responses as a client reads them. Spec: etcd v3.7 rpc.proto. */
import { decodeRecord } from '../../src/datastore/store/store.ts';
import type { KeyValue } from '../../src/datastore/store/store.ts';
import type { ProtoReader } from '../../src/shared/protobuf/protobuf.ts';

export interface RangeResponse {
  readonly kind: 'range';
  readonly revision: number;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  readonly count: number;
}

export interface PutResponse {
  readonly kind: 'put';
  readonly revision: number;
  readonly prevKv: KeyValue | undefined;
}

export interface DeleteRangeResponse {
  readonly kind: 'deleteRange';
  readonly revision: number;
  readonly deleted: number;
  readonly prevKvs: readonly KeyValue[];
}

export interface TxnResponse {
  readonly kind: 'txn';
  readonly revision: number;
  readonly succeeded: boolean;
  readonly responses: readonly OperationResponse[];
}

export type OperationResponse = RangeResponse | PutResponse | DeleteRangeResponse | TxnResponse;

export interface WatchEventMessage {
  readonly type: 'put' | 'delete';
  readonly kv: KeyValue;
  readonly prevKv: KeyValue | undefined;
}

export interface WatchMessage {
  readonly revision: number;
  readonly watchId: number;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly cancelReason: string;
  readonly fragment: boolean;
  readonly events: readonly WatchEventMessage[];
}

export interface LeaseResponse {
  readonly revision: number;
  readonly id: bigint;
  readonly ttl: number;
  readonly grantedTtl: number;
  readonly keys: readonly Uint8Array[];
}

/** The revision of a ResponseHeader. */
export function readHeader(reader: ProtoReader): number {
  let revision = 0;
  while (reader.next()) {
    if (reader.field === 3) revision = reader.int();
    else reader.skip();
  }
  return revision;
}

/** A response of which nothing but the header matters. */
export function readHeaderOnly(reader: ProtoReader): number {
  let revision = 0;
  while (reader.next()) {
    if (reader.field === 1) revision = readHeader(reader.message());
    else reader.skip();
  }
  return revision;
}

export function readRangeResponse(reader: ProtoReader): RangeResponse {
  const response = { kind: 'range' as const, revision: 0, kvs: [] as KeyValue[], more: false, count: 0 };
  while (reader.next()) {
    if (reader.field === 1) response.revision = readHeader(reader.message());
    else if (reader.field === 2) response.kvs.push(decodeRecord(reader.bytesView()));
    else if (reader.field === 3) response.more = reader.bool();
    else if (reader.field === 4) response.count = reader.int();
    else reader.skip();
  }
  return response;
}

/** A chunk of RangeStream. */
export function readRangeStreamResponse(reader: ProtoReader): RangeResponse {
  let response: RangeResponse = { kind: 'range', revision: 0, kvs: [], more: false, count: 0 };
  while (reader.next()) {
    if (reader.field === 1) response = readRangeResponse(reader.message());
    else reader.skip();
  }
  return response;
}

export function readPutResponse(reader: ProtoReader): PutResponse {
  const response = { kind: 'put' as const, revision: 0, prevKv: undefined as KeyValue | undefined };
  while (reader.next()) {
    if (reader.field === 1) response.revision = readHeader(reader.message());
    else if (reader.field === 2) response.prevKv = decodeRecord(reader.bytesView());
    else reader.skip();
  }
  return response;
}

export function readDeleteRangeResponse(reader: ProtoReader): DeleteRangeResponse {
  const response = { kind: 'deleteRange' as const, revision: 0, deleted: 0, prevKvs: [] as KeyValue[] };
  while (reader.next()) {
    if (reader.field === 1) response.revision = readHeader(reader.message());
    else if (reader.field === 2) response.deleted = reader.int();
    else if (reader.field === 3) response.prevKvs.push(decodeRecord(reader.bytesView()));
    else reader.skip();
  }
  return response;
}

export function readTxnResponse(reader: ProtoReader): TxnResponse {
  const response = { kind: 'txn' as const, revision: 0, succeeded: false, responses: [] as OperationResponse[] };
  while (reader.next()) {
    if (reader.field === 1) response.revision = readHeader(reader.message());
    else if (reader.field === 2) response.succeeded = reader.bool();
    else if (reader.field === 3) response.responses.push(...readOperation(reader.message()));
    else reader.skip();
  }
  return response;
}

function readOperation(reader: ProtoReader): OperationResponse[] {
  const responses: OperationResponse[] = [];
  while (reader.next()) {
    if (reader.field === 1) responses.push(readRangeResponse(reader.message()));
    else if (reader.field === 2) responses.push(readPutResponse(reader.message()));
    else if (reader.field === 3) responses.push(readDeleteRangeResponse(reader.message()));
    else if (reader.field === 4) responses.push(readTxnResponse(reader.message()));
    else reader.skip();
  }
  return responses;
}

export function readWatchMessage(reader: ProtoReader): WatchMessage {
  const message = {
    revision: 0,
    watchId: 0,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: '',
    fragment: false,
    events: [] as WatchEventMessage[],
  };
  while (reader.next()) {
    if (reader.field === 1) message.revision = readHeader(reader.message());
    else if (reader.field === 2) message.watchId = reader.int();
    else if (reader.field === 3) message.created = reader.bool();
    else if (reader.field === 4) message.canceled = reader.bool();
    else if (reader.field === 5) message.compactRevision = reader.int();
    else if (reader.field === 6) message.cancelReason = reader.bytesView().toString();
    else if (reader.field === 7) message.fragment = reader.bool();
    else if (reader.field === 11) message.events.push(readEvent(reader.message()));
    else reader.skip();
  }
  return message;
}

function readEvent(reader: ProtoReader): WatchEventMessage {
  let type: 'put' | 'delete' = 'put';
  let kv = decodeRecord(new Uint8Array());
  let prevKv: KeyValue | undefined;
  while (reader.next()) {
    if (reader.field === 1) type = reader.int() === 1 ? 'delete' : 'put';
    else if (reader.field === 2) kv = decodeRecord(reader.bytesView());
    else if (reader.field === 3) prevKv = decodeRecord(reader.bytesView());
    else reader.skip();
  }
  return { type, kv, prevKv };
}

/** LeaseGrant, LeaseKeepAlive and LeaseTimeToLive. */
export function readLeaseResponse(reader: ProtoReader): LeaseResponse {
  const response = { revision: 0, id: 0n, ttl: 0, grantedTtl: 0, keys: [] as Uint8Array[] };
  while (reader.next()) {
    if (reader.field === 1) response.revision = readHeader(reader.message());
    else if (reader.field === 2) response.id = reader.bigint();
    else if (reader.field === 3) response.ttl = reader.int();
    else if (reader.field === 4) response.grantedTtl = reader.int();
    else if (reader.field === 5) response.keys.push(reader.bytesView());
    else reader.skip();
  }
  return response;
}
