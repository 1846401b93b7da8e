/** The few messages that a key-value client writes and reads. Spec: etcd v3.7 rpc.proto. */
import type { Write } from '../../shared/grpc/grpc.ts';
import { readFields } from '../../shared/protobuf/protobuf.ts';
import type { ProtoReader, ProtoWriter } from '../../shared/protobuf/protobuf.ts';

export interface Entry {
  readonly key: string;
  readonly value: string;
  readonly modRevision: number;
}

/** RangeRequest and DeleteRangeRequest begin alike: a key, and the first one that is beyond. */
export function oneKey(key: string): Write {
  return (message) => message.text(1, key);
}

export function keysWith(prefix: string): Write {
  return (message) => {
    message.text(1, prefix);
    message.bytes(2, prefixEnd(Buffer.from(prefix)));
  };
}

export function put(key: string, value: string): Write {
  return (message) => writePut(message, key, value);
}

function writePut(message: ProtoWriter, key: string, value: string): void {
  message.text(1, key);
  message.text(2, value);
}

const targetMod = 2;
const modRevisionField = 6;

/** A Txn that puts, if the key has no ModRevision. */
export function putIfAbsent(key: string, value: string): Write {
  return (message) => {
    message.message(1, () => {
      message.int(2, targetMod);
      message.text(3, key);
      message.varint(modRevisionField, 0n); // written even though it is zero, as a member of a oneof
    });
    message.message(2, () => message.message(2, () => writePut(message, key, value)));
  };
}

export function watchFrom(prefix: string, startRevision: number): Write {
  return (message) =>
    message.message(1, () => {
      keysWith(prefix)(message);
      message.int(3, startRevision);
    });
}

/** RangeResponse. */
export function readEntries(reply: ProtoReader): { readonly revision: number; readonly entries: readonly Entry[] } {
  const entries: Entry[] = [];
  let revision = 0;
  readFields(reply, {
    1: () => (revision = readRevision(reply.message())),
    2: () => entries.push(readEntry(reply.message())),
  });
  return { revision, entries };
}

/** ResponseHeader. */
function readRevision(header: ProtoReader): number {
  let revision = 0;
  readFields(header, { 3: () => (revision = header.int()) });
  return revision;
}

/** KeyValue. */
function readEntry(keyValue: ProtoReader): Entry {
  const entry = { key: '', value: '', modRevision: 0 };
  readFields(keyValue, {
    1: () => (entry.key = keyValue.bytesView().toString()),
    3: () => (entry.modRevision = keyValue.int()),
    5: () => (entry.value = keyValue.bytesView().toString()),
  });
  return entry;
}

/** Of DeleteRangeResponse and TxnResponse: how many were deleted, or whether the comparison held. */
export function readOutcome(reply: ProtoReader): number {
  let outcome = 0;
  readFields(reply, { 2: () => (outcome = reply.int()) });
  return outcome;
}

export interface WatchMessage {
  /** Why the server ended the watch; undefined: it did not. */
  readonly canceled: string | undefined;
  readonly events: readonly { readonly isDelete: boolean; readonly entry: Entry }[];
}

/** WatchResponse. */
export function readWatchMessage(reply: ProtoReader): WatchMessage {
  const events: WatchMessage['events'][number][] = [];
  let isCanceled = false;
  let reason = '';
  readFields(reply, {
    4: () => (isCanceled = reply.bool()),
    6: () => (reason = reply.bytesView().toString()),
    11: () => events.push(readEvent(reply.message())),
  });
  return { canceled: isCanceled ? reason : undefined, events };
}

function readEvent(event: ProtoReader): WatchMessage['events'][number] {
  let isDelete = false;
  let entry: Entry = { key: '', value: '', modRevision: 0 };
  readFields(event, { 1: () => (isDelete = event.int() === 1), 2: () => (entry = readEntry(event.message())) });
  return { isDelete, entry };
}

/**
 * The first key after every key with this prefix: `/registry/pods/` gives `/registry/pods0`.
 * @returns a new array of at most `prefix.length` bytes; a single zero byte when all are 0xff (to the end)
 * @see etcd clientv3 `GetPrefixRangeEnd`
 */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  const last = prefix.findLastIndex((byte) => byte < 0xff);
  if (last < 0) return new Uint8Array([0]);
  const end = new Uint8Array(prefix.subarray(0, last + 1)); // copies; Buffer's slice would share memory
  end[last] = (end[last] ?? 0) + 1;
  return end;
}
