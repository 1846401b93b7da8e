/** Messages of the KV service: requests in, responses out. Spec: etcd v3.7 rpc.proto. */
import { InvalidRequestError, plainRange } from '../../store/store.ts';
import type {
  Compare,
  DeleteRange,
  DeleteRangeResult,
  Key,
  KeyRange,
  LeaseId,
  Mutable,
  Operation,
  OperationResult,
  Put,
  PutResult,
  RangeQuery,
  RangeResult,
  Revision,
  Txn,
  TxnResult,
} from '../../store/store.ts';
import type { Header } from './header.ts';
import { writeHeader } from './header.ts';
import type { ProtoReader, ProtoWriter } from '../../../shared/protobuf/protobuf.ts';

const sortOrders = ['none', 'ascend', 'descend'] as const;
const sortTargets = ['key', 'version', 'create', 'mod', 'value'] as const;
const compareResults = ['equal', 'greater', 'less', 'notEqual'] as const;
const compareTargets = ['version', 'create', 'mod', 'value', 'lease'] as const;

const none = Buffer.alloc(0) as Uint8Array as Key;

/** An empty range_end means: that one key. */
export function keyRange(key: Key, rangeEnd: Key): KeyRange {
  return rangeEnd.length === 0 ? { key } : { key, rangeEnd };
}

export function readRange(reader: ProtoReader): RangeQuery {
  let key = none;
  let rangeEnd = none;
  let order = 0;
  let target = 0;
  const query: Mutable<RangeQuery> = { ...plainRange, range: { key } };
  while (reader.next()) {
    if (reader.field === 1) key = reader.bytesView() as Uint8Array as Key;
    else if (reader.field === 2) rangeEnd = reader.bytesView() as Uint8Array as Key;
    else if (reader.field === 3) query.limit = reader.int();
    else if (reader.field === 4) query.revision = reader.int() as Revision;
    else if (reader.field === 5) order = reader.int();
    else if (reader.field === 6) target = reader.int();
    else if (reader.field === 8) query.keysOnly = reader.bool();
    else if (reader.field === 9) query.countOnly = reader.bool();
    else if (reader.field === 10) query.minModRevision = reader.int();
    else if (reader.field === 11) query.maxModRevision = reader.int();
    else if (reader.field === 12) query.minCreateRevision = reader.int();
    else if (reader.field === 13) query.maxCreateRevision = reader.int();
    else reader.skip(); // serializable is 7: here every read is linearizable and costs nothing more
  }
  const sortOrder = sortOrders[order];
  const sortTarget = sortTargets[target];
  if (key.length === 0) throw new InvalidRequestError('empty key');
  if (sortOrder === undefined || sortTarget === undefined) throw new InvalidRequestError('unknown sort option');
  query.range = keyRange(key, rangeEnd);
  query.sortOrder = sortOrder;
  query.sortTarget = sortTarget;
  return query;
}

export function readPut(reader: ProtoReader): Put {
  const put = {
    kind: 'put' as const,
    key: none,
    value: none as Uint8Array,
    lease: 0n as LeaseId,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  };
  while (reader.next()) {
    if (reader.field === 1) put.key = reader.bytesView() as Uint8Array as Key;
    else if (reader.field === 2) put.value = reader.bytesView();
    else if (reader.field === 3) put.lease = reader.bigint() as LeaseId;
    else if (reader.field === 4) put.prevKv = reader.bool();
    else if (reader.field === 5) put.ignoreValue = reader.bool();
    else if (reader.field === 6) put.ignoreLease = reader.bool();
    else reader.skip();
  }
  return put;
}

export function readDeleteRange(reader: ProtoReader): DeleteRange {
  let key = none;
  let rangeEnd = none;
  let prevKv = false;
  while (reader.next()) {
    if (reader.field === 1) key = reader.bytesView() as Uint8Array as Key;
    else if (reader.field === 2) rangeEnd = reader.bytesView() as Uint8Array as Key;
    else if (reader.field === 3) prevKv = reader.bool();
    else reader.skip();
  }
  return { kind: 'deleteRange', range: keyRange(key, rangeEnd), prevKv };
}

export function readTxn(reader: ProtoReader): Txn {
  const compare: Compare[] = [];
  const success: Operation[] = [];
  const failure: Operation[] = [];
  while (reader.next()) {
    if (reader.field === 1) compare.push(readCompare(reader.message()));
    else if (reader.field === 2) success.push(readOperation(reader.message()));
    else if (reader.field === 3) failure.push(readOperation(reader.message()));
    else reader.skip();
  }
  return { kind: 'txn', compare, success, failure };
}

function readOperation(reader: ProtoReader): Operation {
  let operation: Operation = { kind: 'none' };
  while (reader.next()) {
    if (reader.field === 1) operation = readRange(reader.message());
    else if (reader.field === 2) operation = readPut(reader.message());
    else if (reader.field === 3) operation = readDeleteRange(reader.message());
    else if (reader.field === 4) operation = readTxn(reader.message());
    else reader.skip();
  }
  return operation;
}

/** Which field holds what a target is compared with. */
const operandFields = { version: 4, create: 5, mod: 6, value: 7, lease: 8 } as const;

function readCompare(reader: ProtoReader): Compare {
  let result = 0;
  let targetNumber = 0;
  let key = none;
  let rangeEnd = none;
  let operandField = 0;
  let number = 0n;
  let value: Uint8Array = none;
  while (reader.next()) {
    const { field } = reader;
    if (field === 1) result = reader.int();
    else if (field === 2) targetNumber = reader.int();
    else if (field === 3) key = reader.bytesView() as Uint8Array as Key;
    else if (field === 64) rangeEnd = reader.bytesView() as Uint8Array as Key;
    else if (field >= 4 && field <= 8) {
      operandField = field;
      if (field === 7) value = reader.bytesView();
      else number = reader.bigint();
    } else reader.skip();
  }
  const target = compareTargets[targetNumber] ?? 'version';
  // An operand of another kind than the target counts as not given.
  const isGiven = operandField === operandFields[target];
  return {
    range: keyRange(key, rangeEnd),
    target,
    result: compareResults[result] ?? 'equal',
    value: isGiven ? value : none,
    number: isGiven ? number : 0n,
  };
}

export interface Compaction {
  readonly revision: Revision;
  readonly physical: boolean;
}

export function readCompaction(reader: ProtoReader): Compaction {
  let revision = 0 as Revision;
  let physical = false;
  while (reader.next()) {
    if (reader.field === 1) revision = reader.int() as Revision;
    else if (reader.field === 2) physical = reader.bool();
    else reader.skip();
  }
  return { revision, physical };
}

export function writeRangeResponse(writer: ProtoWriter, header: Header, result: RangeResult): void {
  writeHeader(writer, header, result.revision);
  writeKvs(writer, result.records);
  writer.bool(3, result.more);
  writer.int(4, result.count);
}

/** Field 2 of a RangeResponse; a chunk of RangeStream holds nothing else unless it is the last. */
export function writeKvs(writer: ProtoWriter, records: readonly Uint8Array[]): void {
  for (const record of records) writer.record(2, record);
}

export function writePutResponse(writer: ProtoWriter, header: Header, result: PutResult): void {
  writeHeader(writer, header, result.revision);
  if (result.previous !== undefined) writer.record(2, result.previous);
}

export function writeDeleteRangeResponse(writer: ProtoWriter, header: Header, result: DeleteRangeResult): void {
  writeHeader(writer, header, result.revision);
  writer.int(2, result.deleted);
  for (const record of result.previous) writer.record(3, record);
}

export function writeTxnResponse(writer: ProtoWriter, header: Header, result: TxnResult): void {
  writeHeader(writer, header, result.revision);
  writeTxnOutcome(writer, result);
}

/** Inside a Txn, etcd fills of each header the revision alone; a nested Txn's header is empty. */
const innerHeader: Header = { clusterId: 0, memberId: 0 };

function writeTxnOutcome(writer: ProtoWriter, { succeeded, responses }: TxnResult): void {
  writer.bool(2, succeeded);
  for (const response of responses) writer.message(3, () => writeOperationResult(writer, response));
}

function writeOperationResult(writer: ProtoWriter, result: OperationResult): void {
  switch (result.kind) {
    case 'range':
      return writer.message(1, () => writeRangeResponse(writer, innerHeader, result));
    case 'put':
      return writer.message(2, () => writePutResponse(writer, innerHeader, result));
    case 'deleteRange':
      return writer.message(3, () => writeDeleteRangeResponse(writer, innerHeader, result));
    case 'txn':
      return writer.message(4, () => {
        writer.message(1, () => {});
        writeTxnOutcome(writer, result);
      });
  }
}

/** About how long a message with these records gets. */
export function sizeHint(records: readonly Uint8Array[]): number {
  let size = 128;
  for (const record of records) size += record.length + 8;
  return size;
}
