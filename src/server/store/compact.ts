/**
 * @module
 * Physical compaction: the versions that no readable revision needs leave memory and disk, in small steps between
 * other commits, so that no write waits for long.
 */
import type { WriteTarget } from './batch.ts';
import type { HistoryBudget } from './history.ts';
import type { KeyEntry, KeyIndex, Version } from './key-index.ts';
import type { Revision } from './shapes.ts';

export interface CompactHost {
  readonly index: KeyIndex;
  readonly history: HistoryBudget;
  write(): WriteTarget;
  settled(): Promise<Revision>;
}

interface Obsolete {
  readonly entry: KeyEntry;
  readonly version: Version;
  /** The version is needed by no revision from this one on. */
  readonly from: Revision;
}

const stepSize = 500;

export class Compactor {
  private readonly host: CompactHost;
  /** In the order of `from`, because revisions grow. */
  private queue: Obsolete[] = [];
  private head = 0;
  private sweeping: Promise<void> = Promise.resolve();

  constructor(host: CompactHost) {
    this.host = host;
  }

  /** A newer version of the key took this one's place. */
  superseded(entry: KeyEntry, version: Version, by: Revision): void {
    // A deletion is in the queue already, see below.
    if (version.version > 0) this.queue.push({ entry, version, from: by });
  }

  /** A deletion is news to whoever watches from its own revision on, and to nobody after that. */
  deleted(entry: KeyEntry, version: Version): void {
    this.queue.push({ entry, version, from: (version.revision + 1) as Revision });
  }

  /** Resolves when everything that `compactRevision` makes obsolete is gone from the disk. */
  sweep(compactRevision: Revision): Promise<void> {
    // A writer that fails tells the store itself; what is left is swept after the next start.
    this.sweeping = this.sweeping.then(() => this.sweepUpTo(compactRevision)).catch(() => {});
    return this.sweeping;
  }

  private async sweepUpTo(compactRevision: Revision): Promise<void> {
    while (this.step(compactRevision)) {
      await this.host.settled();
      await new Promise(setImmediate); // whoever came meanwhile goes first
    }
  }

  /** @returns whether anything was dropped */
  private step(compactRevision: Revision): boolean {
    const end = Math.min(this.head + stepSize, this.queue.length);
    const start = this.head;
    for (; this.head < end; this.head += 1) {
      const item = this.queue[this.head];
      if (item === undefined || item.from > compactRevision) break;
      this.drop(item);
    }
    const hasDropped = this.head > start;
    if (this.head * 2 > this.queue.length) {
      this.queue = this.queue.slice(this.head);
      this.head = 0;
    }
    return hasDropped;
  }

  private drop({ entry, version }: Obsolete): void {
    const { index, history } = this.host;
    this.host.write().dropVersion(version.id);
    history.release(version);
    entry.versions.splice(entry.versions.indexOf(version), 1);
    if (entry.versions.length === 0) index.remove(entry);
  }
}
