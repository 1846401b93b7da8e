/** Requests as a client writes them. Spec: etcd v3.7 rpc.proto. */
import type { ProtoWriter } from '../../src/shared/protobuf/protobuf.ts';

export type Text = string | Uint8Array;

export interface RangeRequest {
  readonly kind: 'range';
  readonly key: Text;
  readonly rangeEnd?: Text;
  readonly limit?: number;
  readonly revision?: number;
  readonly sortOrder?: number;
  readonly sortTarget?: number;
  readonly serializable?: boolean;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
  readonly minModRevision?: number;
  readonly maxModRevision?: number;
  readonly minCreateRevision?: number;
  readonly maxCreateRevision?: number;
}

export interface PutRequest {
  readonly kind: 'put';
  readonly key: Text;
  readonly value?: Text;
  readonly lease?: bigint;
  readonly prevKv?: boolean;
  readonly ignoreValue?: boolean;
  readonly ignoreLease?: boolean;
}

export interface DeleteRangeRequest {
  readonly kind: 'deleteRange';
  readonly key: Text;
  readonly rangeEnd?: Text;
  readonly prevKv?: boolean;
}

export interface CompareRequest {
  readonly key: Text;
  readonly rangeEnd?: Text;
  readonly target: 'version' | 'create' | 'mod' | 'value' | 'lease';
  readonly result: 'equal' | 'greater' | 'less' | 'notEqual';
  readonly operand: number | bigint | Text;
}

export interface TxnRequest {
  readonly kind: 'txn';
  readonly compare?: readonly CompareRequest[];
  readonly success?: readonly OperationRequest[];
  readonly failure?: readonly OperationRequest[];
}

export type OperationRequest = RangeRequest | PutRequest | DeleteRangeRequest | TxnRequest | { readonly kind: 'none' };

export interface WatchCreateRequest {
  readonly key: Text;
  readonly rangeEnd?: Text;
  readonly startRevision?: number;
  readonly progressNotify?: boolean;
  readonly filters?: readonly number[];
  readonly prevKv?: boolean;
  readonly watchId?: number;
  readonly fragment?: boolean;
}

export function toBytes(text: Text): Uint8Array {
  return typeof text === 'string' ? Buffer.from(text) : text;
}

export function writeRange(writer: ProtoWriter, request: RangeRequest): void {
  writer.bytes(1, toBytes(request.key));
  writer.bytes(2, toBytes(request.rangeEnd ?? ''));
  writer.int(3, request.limit ?? 0);
  writer.int(4, request.revision ?? 0);
  writer.int(5, request.sortOrder ?? 0);
  writer.int(6, request.sortTarget ?? 0);
  writer.bool(7, request.serializable ?? false);
  writer.bool(8, request.keysOnly ?? false);
  writer.bool(9, request.countOnly ?? false);
  writer.int(10, request.minModRevision ?? 0);
  writer.int(11, request.maxModRevision ?? 0);
  writer.int(12, request.minCreateRevision ?? 0);
  writer.int(13, request.maxCreateRevision ?? 0);
}

export function writePut(writer: ProtoWriter, request: PutRequest): void {
  writer.bytes(1, toBytes(request.key));
  writer.bytes(2, toBytes(request.value ?? ''));
  writer.bigint(3, request.lease ?? 0n);
  writer.bool(4, request.prevKv ?? false);
  writer.bool(5, request.ignoreValue ?? false);
  writer.bool(6, request.ignoreLease ?? false);
}

export function writeDeleteRange(writer: ProtoWriter, request: DeleteRangeRequest): void {
  writer.bytes(1, toBytes(request.key));
  writer.bytes(2, toBytes(request.rangeEnd ?? ''));
  writer.bool(3, request.prevKv ?? false);
}

export function writeTxn(writer: ProtoWriter, { compare = [], success = [], failure = [] }: TxnRequest): void {
  for (const item of compare) writer.message(1, () => writeCompare(writer, item));
  for (const operation of success) writer.message(2, () => writeOperation(writer, operation));
  for (const operation of failure) writer.message(3, () => writeOperation(writer, operation));
}

function writeOperation(writer: ProtoWriter, operation: OperationRequest): void {
  switch (operation.kind) {
    case 'range':
      return writer.message(1, () => writeRange(writer, operation));
    case 'put':
      return writer.message(2, () => writePut(writer, operation));
    case 'deleteRange':
      return writer.message(3, () => writeDeleteRange(writer, operation));
    case 'txn':
      return writer.message(4, () => writeTxn(writer, operation));
    case 'none':
  }
}

const results = ['equal', 'greater', 'less', 'notEqual'] as const;
const targets = ['version', 'create', 'mod', 'value', 'lease'] as const;

function writeCompare(writer: ProtoWriter, { key, rangeEnd, target, result, operand }: CompareRequest): void {
  writer.int(1, results.indexOf(result));
  writer.int(2, targets.indexOf(target));
  writer.bytes(3, toBytes(key));
  const field = 4 + targets.indexOf(target);
  // Members of a oneof are written even when they are zero.
  if (typeof operand === 'number' || typeof operand === 'bigint') writer.varint(field, BigInt(operand));
  else writer.record(field, toBytes(operand));
  writer.bytes(64, toBytes(rangeEnd ?? ''));
}

export function writeWatchCreate(writer: ProtoWriter, request: WatchCreateRequest): void {
  writer.message(1, () => {
    writer.bytes(1, toBytes(request.key));
    writer.bytes(2, toBytes(request.rangeEnd ?? ''));
    writer.int(3, request.startRevision ?? 0);
    writer.bool(4, request.progressNotify ?? false);
    writer.packed(5, request.filters ?? []);
    writer.bool(6, request.prevKv ?? false);
    writer.int(7, request.watchId ?? 0);
    writer.bool(8, request.fragment ?? false);
  });
}

export function writeWatchCancel(writer: ProtoWriter, watchId: number): void {
  writer.message(2, () => writer.int(1, watchId));
}

export function writeWatchProgress(writer: ProtoWriter): void {
  writer.message(3, () => {});
}
