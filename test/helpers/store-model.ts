/**
 * What the store should do, in the simplest way there is: a copy of everything for every revision.
 * It shares no code with the store.
 */
import type {
  Compare,
  DeleteRange,
  KeyRange,
  Operation,
  Put,
  RangeQuery,
  Txn,
} from '../../src/datastore/store/store.ts';

export interface ModelKeyValue {
  readonly key: string;
  readonly value: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly lease: bigint;
}

export interface ModelEvent {
  readonly revision: number;
  readonly isDelete: boolean;
  readonly key: string;
  readonly value: string;
  readonly previous: string | undefined;
}

type State = ReadonlyMap<string, ModelKeyValue>;

export class StoreModel {
  /** By revision. */
  readonly states: State[] = [new Map(), new Map()];
  readonly events: ModelEvent[] = [];
  compactRevision = -1;
  #state = new Map<string, ModelKeyValue>();
  #base: State = this.#state;
  #writes = 0;

  get revision(): number {
    return this.states.length - 1;
  }

  /** Nothing of a Txn happens when one of its puts is to keep the value or the lease of a key that is not there. */
  txn(txn: Txn): object | 'key not found' {
    this.#state = new Map(this.states.at(-1));
    this.#base = new Map(this.#state);
    this.#writes = 0;
    if (this.#keepsOfNothing(txn)) return 'key not found';
    const result = this.#run(txn);
    if (this.#writes > 0) this.states.push(this.#state);
    return result;
  }

  range(query: RangeQuery, revision: number = this.revision): object | 'compacted' | 'future' {
    const at = query.revision > 0 ? query.revision : revision;
    if (at > revision) return 'future';
    if (at < this.compactRevision) return 'compacted';
    return { revision, ...this.#select(query, this.states[at] ?? new Map()) };
  }

  compact(revision: number): 'compacted' | 'future' | 'done' {
    if (revision <= this.compactRevision) return 'compacted';
    if (revision > this.revision) return 'future';
    this.compactRevision = revision;
    return 'done';
  }

  /** The keys of a lease go together with it. */
  revoke(lease: bigint): void {
    this.#state = new Map(this.states.at(-1));
    this.#writes = 0;
    for (const { key, lease: of } of [...this.#state.values()].toSorted(byKey)) if (of === lease) this.#remove(key);
    if (this.#writes > 0) this.states.push(this.#state);
  }

  /** What a watch from `start` on is told; compaction takes what nobody can see any more. */
  eventsSince(start: number, range: KeyRange): ModelEvent[] {
    return this.events
      .filter(({ revision, key }) => revision >= start && has(range, key))
      .filter((event) => event.revision >= this.compactRevision || this.#isStillThere(event))
      .map((event) => (event.revision - 1 < this.compactRevision ? { ...event, previous: undefined } : event));
  }

  #isStillThere({ key, revision }: ModelEvent): boolean {
    return this.states[this.compactRevision]?.get(key)?.mod === revision;
  }

  #keepsOfNothing(txn: Txn): boolean {
    const { branch } = this.#choose(txn);
    return branch.some((operation) => {
      if (operation.kind === 'txn') return this.#keepsOfNothing(operation);
      if (operation.kind !== 'put' || !(operation.ignoreValue || operation.ignoreLease)) return false;
      return !this.#base.has(textOf(operation.key));
    });
  }

  #choose(txn: Txn): { readonly succeeded: boolean; readonly branch: readonly Operation[] } {
    const succeeded = txn.compare.every((compare) => this.#holds(compare));
    return { succeeded, branch: succeeded ? txn.success : txn.failure };
  }

  #run(txn: Txn): object {
    const { succeeded, branch } = this.#choose(txn);
    const responses = branch.map((operation) => this.#operate(operation));
    return { succeeded, responses, revision: this.#now() };
  }

  #now(): number {
    return this.revision + (this.#writes > 0 ? 1 : 0);
  }

  #operate(operation: Operation): object {
    if (operation.kind === 'put') return this.#put(operation);
    if (operation.kind === 'deleteRange') return this.#delete(operation);
    if (operation.kind === 'txn') return this.#run(operation);
    if (operation.kind === 'range') return { revision: this.#now(), ...this.#select(operation, this.#state) };
    throw new Error('an empty operation');
  }

  #put({ key: bytes, value: newValue, lease: newLease, ignoreValue, ignoreLease, prevKv }: Put): object {
    const key = textOf(bytes);
    const before = this.#state.get(key);
    this.#writes += 1;
    const mod = this.revision + 1;
    const value = ignoreValue ? (before?.value ?? '') : textOf(newValue);
    const lease = ignoreLease ? (before?.lease ?? 0n) : newLease;
    const version = (before?.version ?? 0) + 1;
    this.#state.set(key, { key, value, create: before?.create ?? mod, mod, version, lease });
    this.events.push({ revision: mod, isDelete: false, key, value, previous: before?.value });
    return { revision: mod, previous: prevKv ? before : undefined };
  }

  #delete({ range, prevKv }: DeleteRange): object {
    const found = [...this.#state.values()].filter(({ key }) => has(range, key)).toSorted(byKey);
    for (const { key } of found) this.#remove(key);
    return { revision: this.#now(), deleted: found.length, previous: prevKv ? found : [] };
  }

  #remove(key: string): void {
    this.#writes += 1;
    this.events.push({
      revision: this.revision + 1,
      isDelete: true,
      key,
      value: '',
      previous: this.#state.get(key)?.value,
    });
    this.#state.delete(key);
  }

  #holds({ range, target, result, value, number }: Compare): boolean {
    const found = [...this.#base.values()].filter(({ key }) => has(range, key));
    if (found.length === 0 && target === 'value') return false;
    const all = found.length > 0 ? found : [{ value: '', create: 0, mod: 0, version: 0, lease: 0n }];
    return all.every((kv) => {
      const [left, right] = target === 'value' ? [kv.value, textOf(value)] : [BigInt(kv[target]), number];
      if (result === 'equal') return left === right;
      if (result === 'notEqual') return left !== right;
      return result === 'greater' ? left > right : left < right;
    });
  }

  #select(query: RangeQuery, state: State): object {
    const inRange = [...state.values()].filter(({ key }) => has(query.range, key)).toSorted(byKey);
    const count = inRange.length;
    if (query.countOnly) return { kvs: [], more: false, count };
    const kept = inRange.filter(
      ({ mod, create }) =>
        (query.minModRevision === 0 || mod >= query.minModRevision) &&
        (query.maxModRevision === 0 || mod <= query.maxModRevision) &&
        (query.minCreateRevision === 0 || create >= query.minCreateRevision) &&
        (query.maxCreateRevision === 0 || create <= query.maxCreateRevision),
    );
    const { sortTarget, sortOrder, limit } = query;
    const field = (kv: ModelKeyValue) => kv[sortTarget];
    const sign = sortOrder === 'descend' ? -1 : 1;
    const sorted = kept.toSorted((a, b) => (field(a) < field(b) ? -sign : field(a) > field(b) ? sign : 0));
    const isCut = limit > 0 && sorted.length > limit;
    const cut = isCut ? sorted.slice(0, limit) : sorted;
    const keyAlone = (kv: ModelKeyValue) => ({ ...kv, value: '', lease: sortTarget === 'value' ? kv.lease : 0n });
    return { kvs: query.keysOnly ? cut.map(keyAlone) : cut, more: isCut, count };
  }
}

function byKey(a: ModelKeyValue, b: ModelKeyValue): number {
  return a.key < b.key ? -1 : 1;
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

function has({ key, rangeEnd }: KeyRange, text: string): boolean {
  if (rangeEnd === undefined) return text === textOf(key);
  return text >= textOf(key) && (textOf(rangeEnd) === '\0' || text < textOf(rangeEnd));
}
