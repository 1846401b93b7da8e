/**
 * @module
 * The datastore: every version of every key since the last compaction, durable before it is answered.
 * Knows: revisions, transactions, watches, leases, compaction, the file on disk.
 * Leaves to others: wire formats (etcd/), the meaning of keys (callers).
 * Spec: etcd's learning guide, "KV API guarantees" and "Watch API guarantees".
 */
import type { MessagePort } from 'node:worker_threads';
import { systemClock } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import type * as Inspection from './inspect.ts';
import { MvccStore } from './mvcc.ts';
import type { Store } from './shapes.ts';
import { defaultQuotaBytes } from './space.ts';

export * from './errors.ts';
export { acknowledgedPath } from './acknowledged.ts';
export { plainRange } from './range.ts';
export { decodeRecord } from './record.ts';
export type { StoreFinding } from './inspect.ts';
export { storeFileName, unpackSnapshot, verifyChecksum, verifySnapshot } from './snapshot.ts';
export type { SnapshotFacts } from './snapshot.ts';
export type * from './shapes.ts';
export type { WriterWorkerData } from './writer-worker.ts';

export interface StoreOptions {
  /** To a thread that runs writer-worker.ts and has the other end. */
  readonly writerPort: MessagePort;
  readonly clock?: Clock;
  /** How much of superseded versions stays in memory; the rest is read from disk when asked for. */
  readonly historyBudgetBytes?: number;
  /** What the file may use, then NOSPACE; 0: etcd's default of 2 GiB. */
  readonly quotaBytes?: number;
  /** A commit failed: nothing can be promised any more, and every call from now on fails or waits for ever. */
  readonly onFailed: (error: Error) => void;
}

/** Loads SQLite into this thread, which those who serve a store leave to a worker. */
export async function loadInspection(): Promise<typeof Inspection> {
  return import('./inspect.ts');
}

/** @throws {ForwardedError} with the code STORE_LOCKED or STORE_FORMAT */
export async function openStore(options: StoreOptions): Promise<Store> {
  const store = new MvccStore({
    port: options.writerPort,
    clock: options.clock ?? systemClock,
    historyBudgetBytes: options.historyBudgetBytes ?? 8 << 20,
    quotaBytes: options.quotaBytes || defaultQuotaBytes,
    onFailed: options.onFailed,
  });
  await store.open();
  return store;
}
