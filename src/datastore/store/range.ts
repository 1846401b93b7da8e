/** Range: which versions an answer holds, in which order, and how many keys there are. */
import { CompactedError, FutureRevisionError } from './errors.ts';
import type { RecordLoader } from './history.ts';
import { liveVersionAt, spanOf } from './key-index.ts';
import type { KeyIndex, Span, Version } from './key-index.ts';
import { decodeRecord, encodeRecord, keyText } from './record.ts';
import type { LeaseId, Mutable, RangeQuery, RangeResult, Revision } from './shapes.ts';

/** A range that is asked for without further ado: all of its keys as they are now, in their order. */
export const plainRange: Omit<RangeQuery, 'range'> = {
  kind: 'range',
  limit: 0,
  revision: 0 as Revision,
  sortOrder: 'none',
  sortTarget: 'key',
  keysOnly: false,
  countOnly: false,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
};

/** What a read may see. */
export interface View {
  readonly index: KeyIndex;
  /** The newest revision the reader sees. */
  readonly revision: Revision;
  readonly compactRevision: Revision;
  /** The view is exactly what is on disk, so that the index's own counts hold. */
  readonly isCommitted: boolean;
}

/** @throws {CompactedError} @throws {FutureRevisionError} */
export function evaluateRange(view: View, query: RangeQuery, loader: RecordLoader): RangeResult {
  const revision = query.revision > 0 ? query.revision : view.revision;
  checkRevision(view, revision);
  const span = spanOf(query.range);
  const count = (): number => countAt(view, span, revision);
  if (query.countOnly) return { kind: 'range', revision: view.revision, records: [], more: false, count: count() };

  // With a sort or a filter the limit can only be applied afterwards.
  const fetchLimit = isDefaultOrder(query) && !hasFilter(query) && query.limit > 0 ? query.limit + 1 : Infinity;
  const found = select(view.index, span, revision, fetchLimit);
  const result: Mutable<RangeResult> = {
    kind: 'range',
    revision: view.revision,
    records: [],
    more: false,
    count: found.length < fetchLimit ? found.length : count(),
  };
  const matching = hasFilter(query) ? found.filter((version) => passes(query, version)) : found;
  if (query.sortTarget === 'value' && matching.length > 1) {
    loader.collect(matching, (records) => cut(result, query, sortByValue(records, query)));
  } else {
    const sorted = sortByField(matching, query);
    const isCut = query.limit > 0 && sorted.length > query.limit;
    result.more = isCut;
    loader.collect(isCut ? sorted.slice(0, query.limit) : sorted, (records) => {
      result.records = query.keysOnly ? records.map((record) => keyAlone(record, query)) : records;
    });
  }
  return result;
}

/** For a Txn, which must know before its first write that none of its operations can fail. */
export function checkRevision(view: View, revision: Revision): void {
  if (revision > view.revision) throw new FutureRevisionError(revision, view.revision);
  if (revision < view.compactRevision) throw new CompactedError(revision, view.compactRevision);
}

function countAt(view: View, span: Span, revision: Revision): number {
  if (view.isCommitted && revision === view.revision) return view.index.countLive(span);
  let count = 0;
  view.index.visit(span, (entry) => {
    if (liveVersionAt(entry, revision) !== undefined) count += 1;
  });
  return count;
}

function select(index: KeyIndex, span: Span, revision: Revision, limit: number): Version[] {
  const found: Version[] = [];
  index.visit(span, (entry) => {
    const version = liveVersionAt(entry, revision);
    if (version !== undefined) found.push(version);
    return found.length < limit;
  });
  return found;
}

function isDefaultOrder(query: RangeQuery): boolean {
  return query.sortOrder === 'none' || (query.sortTarget === 'key' && query.sortOrder === 'ascend');
}

function hasFilter(query: RangeQuery): boolean {
  return (
    query.minModRevision !== 0 ||
    query.maxModRevision !== 0 ||
    query.minCreateRevision !== 0 ||
    query.maxCreateRevision !== 0
  );
}

function passes(query: RangeQuery, { revision, createRevision }: Version): boolean {
  if (query.maxModRevision !== 0 && revision > query.maxModRevision) return false;
  if (query.minModRevision !== 0 && revision < query.minModRevision) return false;
  if (query.maxCreateRevision !== 0 && createRevision > query.maxCreateRevision) return false;
  return query.minCreateRevision === 0 || createRevision >= query.minCreateRevision;
}

const fieldOf: Readonly<Record<'version' | 'create' | 'mod', (version: Version) => number>> = {
  version: (version) => version.version,
  create: (version) => version.createRevision,
  mod: (version) => version.revision,
};

/** The versions come in the order of keys. */
function sortByField(versions: readonly Version[], { sortTarget, sortOrder }: RangeQuery): readonly Version[] {
  if (sortTarget === 'value') return versions;
  if (sortTarget === 'key') return sortOrder === 'descend' ? versions.toReversed() : versions;
  const field = fieldOf[sortTarget];
  const sign = sortOrder === 'descend' ? -1 : 1;
  return versions.toSorted((a, b) => sign * (field(a) - field(b)));
}

function sortByValue(records: readonly Uint8Array[], { sortOrder }: RangeQuery): Uint8Array[] {
  const sign = sortOrder === 'descend' ? -1 : 1;
  return records
    .map((record) => ({ record, value: decodeRecord(record).value }))
    .toSorted((a, b) => sign * Buffer.compare(a.value, b.value))
    .map(({ record }) => record);
}

function cut(result: Mutable<RangeResult>, query: RangeQuery, sorted: readonly Uint8Array[]): void {
  result.more = query.limit > 0 && sorted.length > query.limit;
  const kept = result.more ? sorted.slice(0, query.limit) : sorted;
  result.records = query.keysOnly ? kept.map((record) => keyAlone(record, query)) : kept;
}

/** etcd 3.7 answers `keys_only` from its index, which does not know the lease, unless it needs the values to sort by. */
function keyAlone(record: Uint8Array, { sortTarget }: RangeQuery): Uint8Array {
  const kv = decodeRecord(record);
  const lease = sortTarget === 'value' ? kv.lease : noLease;
  return encodeRecord(keyText(kv.key), { ...kv, lease, value: noValue });
}

const noLease = 0n as LeaseId;
const noValue = new Uint8Array();
