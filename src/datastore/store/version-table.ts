/**
 * @module
 * Every version of every key, in memory: new ones are added, refused ones taken back, those on disk restored at the start.
 * Knows: ids, records, which lease a key hangs on. Leaves to others: when a version is visible, and when it goes.
 */
import type { WriteTarget } from './batch.ts';
import { HistoryBudget } from './history.ts';
import { everything, KeyIndex } from './key-index.ts';
import type { KeyEntry, Version } from './key-index.ts';
import type { VersionChange } from './pending.ts';
import { RecordArena } from './record-arena.ts';
import { decodeRecord, keyText, RecordEncoder } from './record.ts';
import type { KeyValue, LeaseId, Revision } from './shapes.ts';

export interface VersionHost {
  write(): WriteTarget;
  /** 0n: none. */
  leaseMoved(key: string, from: LeaseId, to: LeaseId): void;
}

export class VersionTable {
  readonly index = new KeyIndex();
  readonly history: HistoryBudget;
  readonly #arena = new RecordArena();
  readonly #encoder = new RecordEncoder();
  readonly #host: VersionHost;
  #nextId = 1;

  constructor(historyBudgetBytes: number, host: VersionHost) {
    this.history = new HistoryBudget(historyBudgetBytes, this.#arena);
    this.#host = host;
  }

  put(key: string, value: Uint8Array, lease: LeaseId, revision: Revision): VersionChange {
    const entry = this.index.getOrCreate(key);
    const before = entry.versions.at(-1);
    const isNew = before === undefined || before.version === 0;
    const version = isNew ? 1 : before.version + 1;
    const createRevision = isNew ? revision : before.createRevision;
    return this.#append(entry, { createRevision, modRevision: revision, version, lease, value });
  }

  delete(key: string, revision: Revision): VersionChange {
    const entry = this.index.getOrCreate(key);
    return this.#append(entry, { ...deletion, modRevision: revision });
  }

  /** The newest change is taken back; those before it may follow. */
  undo({ entry, version }: VersionChange): void {
    entry.versions.pop();
    this.#arena.release(version);
    this.#host.leaseMoved(entry.key, version.lease, entry.versions.at(-1)?.lease ?? noLease);
    if (entry.versions.length === 0) this.index.remove(entry);
    this.#nextId = version.id;
  }

  /** At the start, in the order of ids. The record is copied. */
  restore(id: number, record: Uint8Array): VersionChange {
    const kv = decodeRecord(record);
    const entry = this.index.getOrCreate(keyText(kv.key));
    this.#nextId = id;
    const change = this.#add(entry, kv, record);
    this.index.setLive(entry, change.version.version > 0);
    return change;
  }

  /** Once all are restored: calls with the lease that each key hangs on. */
  visitLeases(visit: (lease: LeaseId, key: string) => void): void {
    this.index.visit(everything, ({ key, versions }) => {
      const lease = versions.at(-1)?.lease ?? noLease;
      if (lease !== noLease) visit(lease, key);
    });
  }

  count(): number {
    let count = 0;
    this.index.visit(everything, ({ versions }) => void (count += versions.length));
    return count;
  }

  /** Of the versions up to `compactRevision`, those that are current at `revision`. */
  currentIds(revision: Revision, compactRevision: Revision): ReadonlySet<number> {
    const ids = new Set<number>();
    this.index.visit(everything, ({ versions }) => {
      const current = versions.findLast((version) => version.revision <= revision);
      if (current !== undefined && current.version > 0 && current.revision <= compactRevision) ids.add(current.id);
    });
    return ids;
  }

  #append(entry: KeyEntry, kv: Omit<KeyValue, 'key'>): VersionChange {
    const write = this.#host.write(); // fails before anything has changed
    const before = entry.versions.at(-1)?.lease ?? noLease;
    const record = this.#encoder.encode(entry.key, kv);
    const change = this.#add(entry, kv, record);
    write.putVersion(change.version.id, record);
    this.#host.leaseMoved(entry.key, before, kv.lease);
    return change;
  }

  #add(entry: KeyEntry, kv: Omit<KeyValue, 'key'>, record: Uint8Array): VersionChange {
    const before = entry.versions.at(-1);
    const { createRevision, modRevision: revision, version: number, lease } = kv;
    const version: Version = {
      id: this.#nextId++,
      revision,
      createRevision,
      version: number,
      lease,
      sizeBytes: record.length,
      record: undefined,
      slab: undefined,
    };
    this.#arena.add(version, record);
    entry.versions.push(version);
    return { entry, version, previous: before?.version === 0 ? undefined : before };
  }
}

const noLease = 0n as LeaseId;
const deletion = { createRevision: 0 as Revision, version: 0, lease: noLease, value: new Uint8Array() };
