/**
 * @module
 * The store itself: gives out revisions, keeps what is decided apart from what is on disk, and joins the parts.
 *
 *   txn ──decided at once, on the newest state──▶ pending ──group commit──▶ on disk: visible, told to watches, answered
 *
 * Reads and watches see only what is on disk. A Txn sees what is pending too, and so waits for it before it answers.
 */
import type { Clock } from '../../shared/clock.ts';
import { AlarmBook } from './alarm.ts';
import type { WriteTarget } from './batch.ts';
import { Compactor } from './compact.ts';
import { CompactedError, FutureRevisionError, NoSpaceError, StoreClosedError } from './errors.ts';
import { RecordLoader } from './history.ts';
import type { KeyIndex } from './key-index.ts';
import { Lessor } from './lease.ts';
import { Maintenance } from './maintenance.ts';
import { PendingQueue } from './pending.ts';
import type { VersionChange } from './pending.ts';
import { evaluateRange } from './range.ts';
import type {
  KvHash,
  LeaseId,
  PrefixUsage,
  RangeQuery,
  RangeResult,
  Revision,
  Snapshot,
  Store,
  StoreStats,
  StoreWatch,
  Txn,
  TxnResult,
  WatchQuery,
  WatchSink,
} from './shapes.ts';
import { growthOf, leaseBytes, SpaceGuard } from './space.ts';
import { checkKey, checkTxn } from './txn-check.ts';
import { executeTxn } from './txn.ts';
import type { TxnHost } from './txn.ts';
import { measureUsage } from './usage.ts';
import { VersionTable } from './version-table.ts';
import { changeOf, WatchHub } from './watch.ts';
import type { WatchHost } from './watch.ts';
import { Writer } from './writer.ts';
import type { MessagePort } from 'node:worker_threads';

export interface MvccOptions {
  readonly port: MessagePort;
  readonly clock: Clock;
  /** How much of superseded versions stays in memory. */
  readonly historyBudgetBytes: number;
  /** What the file may use; then writes that add are refused. */
  readonly quotaBytes: number;
  readonly onFailed: (error: Error) => void;
}

export class MvccStore implements Store, TxnHost, WatchHost {
  clusterId = 0;
  memberId = 0;
  /** The newest revision on disk. */
  revision = 1 as Revision;
  compactRevision = -1 as Revision;
  /** The newest revision given out. */
  decidedRevision = 1 as Revision;
  readonly leases: Lessor;
  readonly alarms: AlarmBook;
  readonly space: SpaceGuard;
  readonly #versions: VersionTable;
  readonly #writer: Writer;
  readonly #hub: WatchHub;
  readonly #compactor: Compactor;
  readonly #maintenance: Maintenance;
  #decidedCompactRevision = -1 as Revision;
  readonly #pending = new PendingQueue();
  /** Rows that a full disk kept from being dropped. */
  readonly #undroppedIds: number[] = [];
  #isClosing = false;
  #hasFailed = false;

  constructor({ port, clock, historyBudgetBytes, quotaBytes, onFailed }: MvccOptions) {
    this.#versions = new VersionTable(historyBudgetBytes, {
      write: () => this.#writer.write(),
      leaseMoved: (key, from, to) => this.leases.move(key, from, to),
    });
    this.#hub = new WatchHub(this);
    this.#compactor = new Compactor({
      index: this.index,
      history: this.#versions.history,
      dropVersion: (id) => this.#dropVersion(id),
      settled: () => this.settled(),
      swept: () => void this.#maintenance.shrink(),
    });
    this.alarms = new AlarmBook(this);
    this.space = new SpaceGuard(quotaBytes, {
      alarms: this.alarms,
      usedBytes: async () => (await this.#writer.size()).usedSizeBytes,
    });
    this.leases = new Lessor({
      clock,
      checkChange: () => this.alarms.checkChange(),
      checkGrowth: () => {
        this.alarms.checkGrowth();
        this.space.checkGrowth(leaseBytes);
      },
      write: () => this.#writer.write(),
      onUndo: (undo) => this.onUndo(undo),
      deleteKeys: (keys) => {
        const revision = (this.decidedRevision + 1) as Revision;
        for (const key of keys) this.delete(key, revision);
      },
      settled: () => this.settled(),
    });
    this.#writer = new Writer({
      port,
      onVersion: (id, record) => this.#restoreVersion(id, record),
      onCommitted: () => this.#onCommitted(),
      onRefused: () => this.#onRefused(),
      onRoom: () => this.#onRoom(),
      onFailed: (error) => {
        this.#hasFailed = true;
        onFailed(error);
      },
    });
    const parts = { versions: this.#versions, writer: this.#writer, space: this.space };
    this.#maintenance = new Maintenance({ at: this, ...parts });
    this.#writer.whenTaken(() => this.#pending.taken());
  }

  /** Reads everything from disk. Writes nothing: what is left to be done is done after the first answer. */
  async open(): Promise<void> {
    const state = await this.#writer.load();
    this.clusterId = state.clusterId;
    this.memberId = state.memberId;
    this.compactRevision = state.compactRevision;
    this.#decidedCompactRevision = state.compactRevision;
    // Compaction may have dropped the row of the newest revision, never one above the compacted revision.
    this.revision = Math.max(this.revision, state.compactRevision) as Revision;
    this.decidedRevision = this.revision;
    this.leases.restore(state.leases);
    this.alarms.restore(state.alarms);
    this.#versions.visitLeases((lease, key) => this.leases.attach(lease, key));
    this.leases.start();
    void this.space.measure();
    void this.#compactor.sweep(this.compactRevision);
  }

  async range(query: RangeQuery): Promise<RangeResult> {
    checkKey(query.range.key);
    const loader = new RecordLoader();
    const { index, revision, compactRevision } = this;
    const result = evaluateRange({ index, revision, compactRevision, isCommitted: true }, query, loader);
    await this.load(loader);
    return result;
  }

  async txn(txn: Txn): Promise<TxnResult> {
    if (this.#isClosing) throw new StoreClosedError();
    checkTxn(txn);
    this.alarms.checkTxn(txn);
    this.space.checkGrowth(growthOf(txn));
    const loader = new RecordLoader();
    const result = executeTxn(this, txn, loader);
    await this.settled();
    await this.load(loader);
    return result;
  }

  watch(query: WatchQuery, sink: WatchSink): StoreWatch {
    return this.#hub.watch(query, sink);
  }

  async compact(revision: Revision, physical: boolean): Promise<void> {
    this.alarms.checkChange();
    if (revision <= this.#decidedCompactRevision) throw new CompactedError(revision, this.#decidedCompactRevision);
    if (revision > this.decidedRevision) throw new FutureRevisionError(revision, this.decidedRevision);
    this.#decidedCompactRevision = revision;
    this.#pending.filling.compactRevision = revision;
    this.#writer.write().setCompactRevision(revision);
    await this.settled();
    const swept = this.#compactor.sweep(revision);
    if (physical) await swept;
  }

  stats(): Promise<StoreStats> {
    return this.#maintenance.stats({ watches: this.#hub.size, leases: this.leases.size });
  }

  usage(depth: number, sinceRevision: Revision): Promise<readonly PrefixUsage[]> {
    return measureUsage(this.index, depth, sinceRevision);
  }

  hashKv(revision: Revision): Promise<KvHash> {
    return this.#maintenance.hashKv(revision);
  }

  snapshot(): Promise<Snapshot> {
    return this.#maintenance.snapshot();
  }

  defragment(): Promise<void> {
    return this.#maintenance.defragment();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.leases.stop();
    if (this.#hasFailed) return;
    await this.settled().catch(() => {}); // a full disk: whoever waits has heard of it
    await this.#writer.close();
  }

  // What the parts need.

  get index(): KeyIndex {
    return this.#versions.index;
  }

  hasLease(id: LeaseId): boolean {
    return this.leases.has(id);
  }

  put(key: string, value: Uint8Array, lease: LeaseId, revision: Revision): void {
    this.#decided(this.#versions.put(key, value, lease, revision));
  }

  delete(key: string, revision: Revision): void {
    this.#decided(this.#versions.delete(key, revision));
  }

  write(): WriteTarget {
    return this.#writer.write();
  }

  load(loader: RecordLoader): Promise<void> {
    return loader.load((ids) => this.#writer.read(ids));
  }

  /** Resolves when everything decided so far is on disk. @throws {NoSpaceError} when that found no room there */
  async settled(): Promise<Revision> {
    const last = this.#pending.last(this.#writer.hasUnsent);
    if (last !== undefined) await last.settled();
    return this.revision;
  }

  /** How to take back what is being changed now, should the disk be full. */
  onUndo(undo: () => void): void {
    this.#pending.filling.onUndo(undo);
  }

  /** Visible when its batch is on disk. */
  #decided(change: VersionChange): void {
    const { revision, sizeBytes } = change.version;
    this.space.grew(sizeBytes);
    this.decidedRevision = revision;
    this.#pending.filling.revision = revision;
    this.#pending.filling.changes.push(change);
  }

  #onCommitted(): void {
    const done = this.#pending.committed();
    if (done === undefined) return;
    this.revision = Math.max(this.revision, done.revision) as Revision;
    if (done.compactRevision !== undefined) this.compactRevision = done.compactRevision;
    for (const { entry, version } of done.changes) this.index.setLive(entry, version.version > 0);
    if (this.#hub.size > 0 && done.changes.length > 0) this.#hub.publish(done.changes.map(changeOf), this.revision);
    for (const change of done.changes) this.#compactor.settle(change);
    done.resolve();
  }

  /** The disk was full: nothing that is not on it has happened, and whoever waits for it is told so. */
  #onRefused(): void {
    this.space.diskIsFull(true);
    this.#undroppedIds.push(...this.#pending.refuse((change) => this.#versions.undo(change), new NoSpaceError()));
    this.decidedRevision = this.revision;
    this.#decidedCompactRevision = this.compactRevision;
  }

  #onRoom(): void {
    this.space.diskIsFull(false);
    void this.space.measure();
    for (const id of this.#undroppedIds.splice(0)) this.#dropVersion(id);
    void this.#compactor.sweep(this.compactRevision);
  }

  #dropVersion(id: number): void {
    this.#writer.write().dropVersion(id);
    this.#pending.filling.droppedIds.push(id);
  }

  #restoreVersion(id: number, record: Uint8Array): void {
    const change = this.#versions.restore(id, record);
    this.#compactor.settle(change);
    this.revision = Math.max(this.revision, change.version.revision) as Revision;
  }
}
