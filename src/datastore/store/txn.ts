/**
 * @module
 * Carries out one Txn on the newest state, whether that is on disk yet or not: 1. compares choose the branches,
 * 2. everything that could fail is checked, 3. the operations run and cannot fail any more.
 */
import { KeyNotFoundError, LeaseNotFoundError } from './errors.ts';
import type { RecordLoader } from './history.ts';
import { liveVersionAt, spanOf } from './key-index.ts';
import type { KeyIndex, Version } from './key-index.ts';
import { checkRevision, evaluateRange } from './range.ts';
import type { View } from './range.ts';
import { decodeRecord, keyText, valueOf } from './record.ts';
import type {
  Compare,
  DeleteRange,
  DeleteRangeResult,
  LeaseId,
  Operation,
  OperationResult,
  Put,
  PutResult,
  Revision,
  Txn,
  TxnResult,
} from './shapes.ts';

/** What a Txn needs from the store. */
export interface TxnHost {
  readonly index: KeyIndex;
  /** The newest revision given out. */
  readonly decidedRevision: Revision;
  readonly compactRevision: Revision;
  hasLease(id: LeaseId): boolean;
  put(key: string, value: Uint8Array, lease: LeaseId, revision: Revision): void;
  delete(key: string, revision: Revision): void;
}

/** @throws {CompactedError} @throws {FutureRevisionError} @throws {LeaseNotFoundError} @throws {KeyNotFoundError} */
export function executeTxn(host: TxnHost, txn: Txn, loader: RecordLoader): TxnResult {
  return new TxnRun(host, loader).run(txn);
}

class TxnRun {
  readonly #host: TxnHost;
  readonly #loader: RecordLoader;
  readonly #before: Revision;
  #hasWritten = false;
  /** Which branch each Txn takes, nested ones too: all decided on the state before the first write. */
  readonly #branches = new Map<Txn, boolean>();

  constructor(host: TxnHost, loader: RecordLoader) {
    this.#host = host;
    this.#loader = loader;
    this.#before = host.decidedRevision;
  }

  run(txn: Txn): TxnResult {
    this.#decide(txn);
    this.#check(txn);
    return this.#apply(txn);
  }

  /** Own writes are seen by what follows them in the Txn. */
  get #revision(): Revision {
    return this.#hasWritten ? this.#nextRevision : this.#before;
  }

  get #nextRevision(): Revision {
    return (this.#before + 1) as Revision;
  }

  #view(): View {
    const { index, compactRevision } = this.#host;
    return { index, revision: this.#revision, compactRevision, isCommitted: false };
  }

  #live(key: string): Version | undefined {
    return liveVersionAt(this.#host.index.get(key), this.#revision);
  }

  #branch(txn: Txn): readonly Operation[] {
    return this.#branches.get(txn) === true ? txn.success : txn.failure;
  }

  #decide(txn: Txn): void {
    this.#branches.set(
      txn,
      txn.compare.every((compare) => this.#holds(compare)),
    );
    for (const operation of this.#branch(txn)) if (operation.kind === 'txn') this.#decide(operation);
  }

  #holds(compare: Compare): boolean {
    const found: Version[] = [];
    this.#host.index.visit(spanOf(compare.range), (entry) => {
      const version = liveVersionAt(entry, this.#before);
      if (version !== undefined) found.push(version);
    });
    if (found.length > 0) return found.every((version) => matches(compare, version));
    // A key that does not exist has no value to compare, and zeros everywhere else.
    return compare.target !== 'value' && matches(compare, undefined);
  }

  #check(txn: Txn): void {
    for (const operation of this.#branch(txn)) {
      if (operation.kind === 'range' && operation.revision > 0) checkRevision(this.#view(), operation.revision);
      else if (operation.kind === 'put') this.#checkPut(operation);
      else if (operation.kind === 'txn') this.#check(operation);
    }
  }

  #checkPut(put: Put): void {
    if (put.lease !== 0n && !this.#host.hasLease(put.lease)) throw new LeaseNotFoundError(put.lease);
    if ((put.ignoreValue || put.ignoreLease) && this.#live(keyText(put.key)) === undefined)
      throw new KeyNotFoundError();
  }

  #apply(txn: Txn): TxnResult {
    const responses = this.#branch(txn).map((operation) => this.#applyOperation(operation));
    return { kind: 'txn', revision: this.#revision, succeeded: this.#branches.get(txn) === true, responses };
  }

  #applyOperation(operation: Operation): OperationResult {
    switch (operation.kind) {
      case 'range':
        return evaluateRange(this.#view(), operation, this.#loader);
      case 'put':
        return this.#put(operation);
      case 'deleteRange':
        return this.#deleteRange(operation);
      case 'txn':
        return this.#apply(operation);
      case 'none':
        throw new TypeError('an empty operation passed the checks');
    }
  }

  #put(put: Put): PutResult {
    const key = keyText(put.key);
    const needsPrevious = put.prevKv || put.ignoreValue || put.ignoreLease;
    const before = needsPrevious ? this.#live(key) : undefined;
    const value = put.ignoreValue && before !== undefined ? valueOf(inMemory(before)) : put.value;
    const lease = put.ignoreLease && before !== undefined ? before.lease : put.lease;
    this.#host.put(key, value, lease, this.#nextRevision);
    this.#hasWritten = true;
    const previous = put.prevKv && before !== undefined ? inMemory(before) : undefined;
    return { kind: 'put', revision: this.#nextRevision, previous };
  }

  #deleteRange({ range, prevKv }: DeleteRange): DeleteRangeResult {
    const found: { readonly key: string; readonly version: Version }[] = [];
    this.#host.index.visit(spanOf(range), (entry) => {
      const version = liveVersionAt(entry, this.#revision);
      if (version !== undefined) found.push({ key: entry.key, version });
    });
    for (const { key } of found) this.#host.delete(key, this.#nextRevision);
    this.#hasWritten ||= found.length > 0;
    const previous = prevKv ? found.map(({ version }) => inMemory(version)) : [];
    return { kind: 'deleteRange', revision: this.#revision, deleted: found.length, previous };
  }
}

function matches(compare: Compare, version: Version | undefined): boolean {
  const order = orderOf(compare, version);
  switch (compare.result) {
    case 'equal':
      return order === 0;
    case 'notEqual':
      return order !== 0;
    case 'greater':
      return order > 0;
    case 'less':
      return order < 0;
  }
}

function orderOf(compare: Compare, version: Version | undefined): number {
  switch (compare.target) {
    case 'value':
      return version === undefined ? 0 : Buffer.compare(decodeRecord(inMemory(version)).value, compare.value);
    case 'lease':
      return orderOfNumbers(version?.lease ?? 0n, compare.number);
    case 'version':
      return orderOfNumbers(version?.version ?? 0, compare.number);
    case 'create':
      return orderOfNumbers(version?.createRevision ?? 0, compare.number);
    case 'mod':
      return orderOfNumbers(version?.revision ?? 0, compare.number);
  }
}

/** JavaScript compares a number with a bigint exactly. */
function orderOfNumbers(a: number | bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The newest version of a key always has its record in memory; only superseded ones leave it. */
function inMemory({ record, revision }: Version): Uint8Array {
  if (record === undefined) throw new TypeError(`the newest version, of revision ${revision}, is not in memory`);
  return record;
}
