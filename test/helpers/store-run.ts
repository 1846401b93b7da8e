/** Takes the store and its model through the same steps and holds every answer, revision and event of one against the other. */
import { deepStrictEqual, ok } from 'node:assert/strict';
import {
  CompactedError,
  decodeRecord,
  FutureRevisionError,
  InvalidRequestError,
} from '../../src/datastore/store/store.ts';
import type {
  KeyRange,
  OperationResult,
  RangeQuery,
  RangeResult,
  Revision,
  Store,
  Txn,
  WatchEvent,
} from '../../src/datastore/store/store.ts';
import { openTestStore, rangeOf, rangeQuery } from './store.ts';
import { StoreModel, textOf } from './store-model.ts';
import { eventually } from './wait.ts';

export type Step =
  | { readonly kind: 'txns'; readonly txns: readonly Txn[] }
  | { readonly kind: 'range'; readonly query: RangeQuery }
  | { readonly kind: 'compact'; readonly back: number }
  | { readonly kind: 'watch'; readonly range: KeyRange; readonly back: number; readonly isSlow: boolean }
  | { readonly kind: 'reopen' };

interface Told {
  readonly range: KeyRange;
  readonly start: number;
  /** What the model says of the time before the watch began, which a later compaction does not take back. */
  readonly past: readonly object[];
  readonly events: WatchEvent[];
  /** The model's event count when the watch began. */
  readonly from: number;
  compacted: number | undefined;
}

export class StoreRun {
  store: Store;
  readonly #dir: string;
  readonly #model = new StoreModel();
  #told: Told[] = [];

  private constructor(dir: string, store: Store) {
    this.#dir = dir;
    this.store = store;
  }

  static async begin(dir: string): Promise<StoreRun> {
    return new StoreRun(dir, await StoreRun.#open(dir));
  }

  /** So little history in memory that most of it is read back from disk. */
  static #open(dir: string): Promise<Store> {
    return openTestStore(dir, { historyBudgetBytes: 400 });
  }

  async take(one: Step): Promise<void> {
    if (one.kind === 'txns') await this.#txns(one.txns);
    else if (one.kind === 'range') await this.#range(one.query);
    else if (one.kind === 'compact') await this.#compact(this.#model.revision - one.back);
    else if (one.kind === 'watch') await this.#watch(one.range, this.#model.revision + 1 - one.back, one.isSlow);
    else await this.#reopen();
  }

  async finish(): Promise<void> {
    await this.#checkWatches();
    deepStrictEqual(this.store.revision, this.#model.revision);
    deepStrictEqual(plainRange(await this.store.range(everything)), this.#model.range(everything));
  }

  /** All at once: they share commits, and are decided in order on what is not on disk yet. */
  async #txns(txns: readonly Txn[]): Promise<void> {
    const before = this.#model.revision;
    const answering = Promise.allSettled(txns.map((one) => this.store.txn(one)));
    // Nothing of it can be on disk yet, so nobody may see it.
    deepStrictEqual(plainRange(await this.store.range(everything)), this.#model.range(everything, before));
    const answers = await answering;
    for (const [at, answer] of answers.entries()) {
      const one = txns[at];
      if (one === undefined) continue;
      if (answer.status === 'fulfilled') deepStrictEqual(plainResult(answer.value), this.#model.txn(one));
      else ok(answer.reason instanceof InvalidRequestError); // the same key twice
    }
  }

  async #range(one: RangeQuery): Promise<void> {
    const answer = await this.store.range(one).then(plainRange, nameOf);
    deepStrictEqual(answer, this.#model.range(one));
  }

  async #compact(revision: number): Promise<void> {
    await this.#checkWatches();
    const answer = await this.store.compact(revision as Revision, true).then(() => 'done', nameOf);
    deepStrictEqual(answer, this.#model.compact(revision));
  }

  async #watch(of: KeyRange, start: number, isSlow: boolean): Promise<void> {
    const from = this.#model.events.length;
    const begin = start < 1 ? 1 : start;
    const told: Told = { range: of, start: begin, past: [], events: [], from, compacted: undefined };
    const isGone = begin < this.#model.compactRevision;
    const past = isGone ? [] : this.#model.eventsSince(begin, of);
    const watch = this.store.watch(
      { range: of, startRevision: begin as Revision, noPut: false, noDelete: false },
      {
        events: (_revision, events) => {
          told.events.push(...events);
          if (isSlow) setImmediate(() => watch.resume());
          return !isSlow;
        },
        compacted: (revision) => (told.compacted = revision),
        caughtUp: () => {},
      },
    );
    this.#told.push({ ...told, past });
    const watched = this.#told.at(-1);
    if (watched === undefined) return;
    if (isGone) {
      await eventually(() => told.compacted !== undefined, { what: 'the end of a compacted watch' });
      deepStrictEqual(told.compacted, this.#model.compactRevision);
      this.#told.pop();
    } else await eventually(() => told.events.length >= past.length, { what: 'the past of a watch' });
  }

  async #checkWatches(): Promise<void> {
    for (const { range: of, start, past, events, from } of this.#told) {
      const since = this.#model.events.slice(from).filter((event) => event.revision >= start && has(of, event.key));
      const expected = [...past, ...since];
      await eventually(() => events.length >= expected.length, { what: 'all events of a watch' });
      deepStrictEqual(events.map(plainEvent), expected);
    }
  }

  async #reopen(): Promise<void> {
    await this.#checkWatches();
    this.#told = [];
    await this.store.close();
    this.store = await StoreRun.#open(this.#dir);
    deepStrictEqual(this.store.revision, this.#model.revision);
  }
}

const everything = rangeQuery(rangeOf('\0', '\0'));

function nameOf(error: unknown): string {
  if (error instanceof CompactedError) return 'compacted';
  if (error instanceof FutureRevisionError) return 'future';
  throw error;
}

function plainKv(record: Uint8Array): object {
  const kv = decodeRecord(record);
  return {
    key: textOf(kv.key),
    value: textOf(kv.value),
    create: kv.createRevision,
    mod: kv.modRevision,
    version: kv.version,
    lease: kv.lease,
  };
}

function plainRange({ revision, records, more, count }: RangeResult): object {
  return { revision, kvs: records.map(plainKv), more, count };
}

function plainResult(result: OperationResult): object {
  switch (result.kind) {
    case 'range':
      return plainRange(result);
    case 'put': {
      const { revision, previous } = result;
      return { revision, previous: previous === undefined ? undefined : plainKv(previous) };
    }
    case 'deleteRange':
      return { revision: result.revision, deleted: result.deleted, previous: result.previous.map(plainKv) };
    case 'txn':
      return {
        revision: result.revision,
        succeeded: result.succeeded,
        responses: result.responses.map(plainResult),
      };
  }
}

function plainEvent({ revision, isDelete, record, previous }: WatchEvent): object {
  const kv = decodeRecord(record);
  const before = previous === undefined ? undefined : textOf(decodeRecord(previous).value);
  return { revision, isDelete, key: textOf(kv.key), value: textOf(kv.value), previous: before };
}

function has({ key: from, rangeEnd }: KeyRange, text: string): boolean {
  if (rangeEnd === undefined) return text === textOf(from);
  return text >= textOf(from) && (textOf(rangeEnd) === '\0' || text < textOf(rangeEnd));
}
