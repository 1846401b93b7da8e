/**
 * @module
 * Those who want the same thing, a lock or to lead, stand in line: a key each under `NAME/`, and the oldest key has it.
 * Keys and order are those of etcd's concurrency package, so that its clients stand in the same line.
 */
import { decodeRecord, plainRange } from '../store/store.ts';
import type {
  Compare,
  Key,
  KeyRange,
  KeyValue,
  LeaseId,
  Put,
  RangeQuery,
  Revision,
  Store,
  Txn,
} from '../store/store.ts';
import { changesOf } from './changes.ts';

/** A place in the line. */
export interface Place {
  readonly name: Uint8Array;
  readonly key: Key;
  readonly lease: LeaseId;
  /** What the line is ordered by. */
  readonly createRevision: Revision;
}

const none = Buffer.alloc(0);
/** etcd's, for who names no lease. */
const defaultLeaseSeconds = 60;

/** Takes the last place, or finds the one that this lease has already. */
export async function standInLine(
  store: Store,
  options: { readonly name: Uint8Array; readonly lease: LeaseId; readonly value: Uint8Array },
): Promise<{ readonly place: Place; readonly revision: Revision; readonly value: Uint8Array }> {
  const { name, value } = options;
  const lease =
    options.lease === 0n ? (await store.leases.grant(options.lease, defaultLeaseSeconds)).id : options.lease;
  const key = keyOf(name, `/${lease.toString(16)}`);
  const { revision, responses } = await store.txn({
    kind: 'txn',
    compare: [createdAt(key, 0)],
    success: [putOf(key, value, lease)],
    failure: [query({ key })],
  });
  const [response] = responses;
  const [record] = response?.kind === 'range' ? response.records : [];
  const found = record === undefined ? { createRevision: revision, value } : decodeRecord(record);
  return { place: { name, key, lease, createRevision: found.createRevision }, revision, value: found.value };
}

/** Until nobody stands before this place. @returns whether anybody did */
export async function waitForTurn(
  store: Store,
  { name, createRevision }: Place,
  signal: AbortSignal,
): Promise<boolean> {
  for (let hasWaited = false; ; hasWaited = true) {
    const before = await store.range({
      ...query(lineOf(name), 'descend'),
      maxCreateRevision: createRevision - 1,
    });
    const [record] = before.records;
    if (record === undefined) return hasWaited;
    const key = Buffer.from(decodeRecord(record).key) as Uint8Array as Key;
    await isDeleted(store, key, before.revision, signal);
  }
}

async function isDeleted(store: Store, key: Key, since: Revision, signal: AbortSignal): Promise<void> {
  for await (const change of changesOf(store, { range: { key }, after: since }, signal)) if (change.isDelete) return;
  signal.throwIfAborted();
}

/** Leaves the line, unless the place has been lost already. */
export function leaveLine(store: Store, { key, createRevision }: Pick<Place, 'key' | 'createRevision'>) {
  return changeIfHeld(store, { key, createRevision }, { kind: 'deleteRange', range: { key }, prevKv: false });
}

/** @returns `succeeded`: whether the place is still held */
export function changeIfHeld(
  store: Store,
  { key, createRevision }: Pick<Place, 'key' | 'createRevision'>,
  change: Txn['success'][number],
) {
  return store.txn({ kind: 'txn', compare: [createdAt(key, createRevision)], success: [change], failure: [] });
}

/** Who stands first. */
export async function firstInLine(
  store: Store,
  name: Uint8Array,
): Promise<{ readonly revision: Revision; readonly record: Uint8Array | undefined }> {
  const { revision, records } = await store.range(query(lineOf(name), 'ascend'));
  return { revision, record: records[0] };
}

export function lineOf(name: Uint8Array): KeyRange {
  return { key: keyOf(name, '/'), rangeEnd: keyOf(name, '0') }; // the character after the slash
}

export function putOf(key: Key, value: Uint8Array, lease: LeaseId): Put {
  return { kind: 'put', key, value, lease, prevKv: false, ignoreValue: false, ignoreLease: false };
}

export async function currentOf(store: Store, key: Key): Promise<{ revision: Revision; kv: KeyValue | undefined }> {
  const { revision, records } = await store.range(query({ key }));
  return { revision, kv: records[0] && decodeRecord(records[0]) };
}

function keyOf(name: Uint8Array, rest: string): Key {
  return Buffer.concat([name, Buffer.from(rest)]) as Uint8Array as Key;
}

function createdAt(key: Key, revision: number): Compare {
  return { range: { key }, target: 'create', result: 'equal', value: none, number: BigInt(revision) };
}

/** The one of a range that was created first or last. */
function query(range: KeyRange, sortOrder: RangeQuery['sortOrder'] = 'none'): RangeQuery {
  return { ...plainRange, range, limit: 1, sortOrder, sortTarget: 'create' };
}
