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
import { Pending } from './pending.ts';
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
import { WatchHub } from './watch.ts';
import type { Change, WatchHost } from './watch.ts';
import { Writer } from './writer.ts';
import { readSnapshot } from './snapshot.ts';
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
  #decidedCompactRevision = -1 as Revision;
  #pending = new Pending();
  /** Handed to the writer, oldest first. */
  readonly #inFlight: Pending[] = [];
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
      swept: () => void this.#shrink(),
    });
    this.alarms = new AlarmBook(this);
    this.space = new SpaceGuard(quotaBytes, {
      alarms: this.alarms,
      usedBytes: async () => (await this.#writer.size()).usedSizeBytes,
    });
    this.leases = new Lessor({
      clock,
      checkChange: () => this.alarms.checkChange(),
      checkGrowth: () => this.#checkLeaseGrowth(),
      write: () => this.#writer.write(),
      onUndo: (undo) => this.onUndo(undo),
      deleteKeys: (keys) => this.#deleteKeys(keys),
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
    this.#writer.whenTaken(() => this.#onTaken());
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
    const view = {
      index: this.index,
      revision: this.revision,
      compactRevision: this.compactRevision,
      isCommitted: true,
    };
    const result = evaluateRange(view, query, loader);
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
    this.#pending.compactRevision = revision;
    this.#writer.write().setCompactRevision(revision);
    await this.settled();
    const swept = this.#compactor.sweep(revision);
    if (physical) await swept;
  }

  async stats(): Promise<StoreStats> {
    return {
      revision: this.revision,
      compactRevision: this.compactRevision,
      keys: this.index.size,
      versions: this.#versions.count(),
      watches: this.#hub.size,
      leases: this.leases.size,
      quotaBytes: this.space.quotaBytes,
      ...(await this.#writer.size()),
    };
  }

  usage(depth: number, sinceRevision: Revision): Promise<readonly PrefixUsage[]> {
    return measureUsage(this.index, depth, sinceRevision);
  }

  async hashKv(revision: Revision): Promise<KvHash> {
    for (;;) {
      this.#writer.checkJobs(); // before the index is walked
      const { compactRevision } = this;
      if (revision > 0 && revision < compactRevision) throw new CompactedError(revision, compactRevision);
      if (revision > this.revision) throw new FutureRevisionError(revision, this.revision);
      const hashRevision = revision > 0 ? revision : this.revision;
      const currentIds = this.#versions.currentIds(hashRevision, compactRevision);
      const hash = await this.#writer.hash({ revision: hashRevision, compactRevision, currentIds });
      // A compaction meanwhile may have dropped what belongs to the hash.
      if (this.compactRevision === compactRevision) return { hash, hashRevision, compactRevision };
    }
  }

  async snapshot(): Promise<Snapshot> {
    return readSnapshot(await this.#writer.snapshot());
  }

  async defragment(): Promise<void> {
    await this.#writer.defragment();
    await this.space.measure();
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

  newLoader(): RecordLoader {
    return new RecordLoader();
  }

  load(loader: RecordLoader): Promise<void> {
    return loader.load((ids) => this.#writer.read(ids));
  }

  /** Resolves when everything decided so far is on disk. @throws {NoSpaceError} when that found no room there */
  async settled(): Promise<Revision> {
    const last = this.#hasPending() ? this.#pending : this.#inFlight.at(-1);
    if (last !== undefined) await last.settled();
    return this.revision;
  }

  /** How to take back what is being changed now, should the disk be full. */
  onUndo(undo: () => void): void {
    this.#pending.onUndo(undo);
  }

  #checkLeaseGrowth(): void {
    this.alarms.checkGrowth();
    this.space.checkGrowth(leaseBytes);
  }

  #hasPending(): boolean {
    return this.#writer.hasUnsent;
  }

  #deleteKeys(keys: readonly string[]): void {
    const revision = (this.decidedRevision + 1) as Revision;
    for (const key of keys) this.delete(key, revision);
  }

  /** Visible when its batch is on disk. */
  #decided(change: VersionChange): void {
    const { revision, sizeBytes } = change.version;
    this.space.grew(sizeBytes);
    this.decidedRevision = revision;
    this.#pending.revision = revision;
    this.#pending.changes.push(change);
  }

  #onTaken(): void {
    this.#inFlight.push(this.#pending);
    this.#pending = new Pending();
  }

  #onCommitted(): void {
    const done = this.#inFlight.shift();
    if (done === undefined) return;
    this.revision = Math.max(this.revision, done.revision) as Revision;
    if (done.compactRevision !== undefined) this.compactRevision = done.compactRevision;
    for (const { entry, version } of done.changes) this.index.setLive(entry, version.version > 0);
    if (this.#hub.size > 0 && done.changes.length > 0) this.#hub.publish(done.changes.map(changeOf), this.revision);
    for (const change of done.changes) this.#settleVersion(change);
    done.resolve();
  }

  /** The disk was full: nothing that is not on it has happened, and whoever waits for it is told so. */
  #onRefused(): void {
    const refused = [...this.#inFlight.splice(0), this.#pending];
    this.#pending = new Pending();
    this.space.diskIsFull(true);
    for (const pending of refused.toReversed()) pending.undo((change) => this.#versions.undo(change));
    this.decidedRevision = this.revision;
    this.#decidedCompactRevision = this.compactRevision;
    for (const { droppedIds } of refused) this.#undroppedIds.push(...droppedIds);
    for (const pending of refused) pending.reject(new NoSpaceError());
  }

  #onRoom(): void {
    this.space.diskIsFull(false);
    void this.space.measure();
    for (const id of this.#undroppedIds.splice(0)) this.#dropVersion(id);
    void this.#compactor.sweep(this.compactRevision);
  }

  #dropVersion(id: number): void {
    this.#writer.write().dropVersion(id);
    this.#pending.droppedIds.push(id);
  }

  /** After a compaction: a file that is mostly holes is made smaller. */
  async #shrink(): Promise<void> {
    try {
      const { fileSizeBytes, usedSizeBytes } = await this.#writer.size();
      const holeBytes = fileSizeBytes - usedSizeBytes;
      if (holeBytes > tolerableHoleBytes && holeBytes > usedSizeBytes) await this.#writer.defragment();
      await this.space.measure();
    } catch {
      // A full disk or the end: the next compaction tries again.
    }
  }

  /** After the watches had their look at it: what the version replaced is history. */
  #settleVersion({ entry, version, previous }: VersionChange): void {
    const { history } = this.#versions;
    if (previous !== undefined) {
      history.superseded(previous);
      this.#compactor.superseded(entry, previous, version.revision);
    }
    if (version.version === 0) {
      history.superseded(version);
      this.#compactor.deleted(entry, version);
    }
  }

  #restoreVersion(id: number, record: Uint8Array): void {
    const change = this.#versions.restore(id, record);
    this.#settleVersion(change);
    this.revision = Math.max(this.revision, change.version.revision) as Revision;
  }
}

const tolerableHoleBytes = 8 << 20;
const noValue = new Uint8Array();

function changeOf({ entry, version, previous }: VersionChange): Change {
  const event = {
    revision: version.revision,
    isDelete: version.version === 0,
    record: version.record ?? noValue,
    previous: previous?.record,
  };
  return { key: entry.key, version, event };
}
