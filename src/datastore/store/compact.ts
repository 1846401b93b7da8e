/**
 * @module
 * Physical compaction: the versions that no readable revision needs leave memory and disk, in small steps between
 * other commits, so that no write waits for long.
 */
import type { HistoryBudget } from './history.ts';
import type { KeyEntry, KeyIndex, Version } from './key-index.ts';
import type { VersionChange } from './pending.ts';
import type { Revision } from './shapes.ts';

export interface CompactHost {
  readonly index: KeyIndex;
  readonly history: HistoryBudget;
  dropVersion(id: number): void;
  settled(): Promise<Revision>;
  /** Something was dropped, and nothing is left to be. */
  swept(): void;
}

interface Obsolete {
  readonly entry: KeyEntry;
  readonly version: Version;
  /** The version is needed by no revision from this one on. */
  readonly from: Revision;
}

/** Versions dropped at a time: what a commit takes of them without holding up others. */
const stepLimits = { first: 200, least: 20, most: 1000 } as const;
const stepMs = 5;

/** First in, first out; pushed in the order of `from`. */
class ObsoleteQueue {
  #items: Obsolete[] = [];
  #head = 0;

  push(item: Obsolete): void {
    this.#items.push(item);
  }

  /** The oldest, if `revision` makes it obsolete. */
  take(revision: Revision): Obsolete | undefined {
    const item = this.#items[this.#head];
    if (item === undefined || item.from > revision) return undefined;
    this.#head += 1;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

export class Compactor {
  readonly #host: CompactHost;
  /** Apart, because a deletion is needed one revision longer than what it deletes. */
  readonly #replaced = new ObsoleteQueue();
  readonly #deletions = new ObsoleteQueue();
  #stepSize: number = stepLimits.first;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(host: CompactHost) {
    this.#host = host;
  }

  /** After the watches had their look at it: what the version replaced is history, until a compaction. */
  settle({ entry, version, previous }: VersionChange): void {
    const { history } = this.#host;
    if (previous !== undefined) {
      history.superseded(previous);
      // A deletion waits already, see below.
      if (previous.version > 0) this.#replaced.push({ entry, version: previous, from: version.revision });
    }
    if (version.version === 0) {
      history.superseded(version);
      // It is news to whoever watches from its own revision on, and to nobody after that.
      this.#deletions.push({ entry, version, from: (version.revision + 1) as Revision });
    }
  }

  /** Resolves when everything that `compactRevision` makes obsolete is gone from the disk. */
  sweep(compactRevision: Revision): Promise<void> {
    // A writer that fails tells the store itself; what is left is swept after the next start.
    this.#sweeping = this.#sweeping.then(() => this.#sweepUpTo(compactRevision)).catch(() => {});
    return this.#sweeping;
  }

  async #sweepUpTo(compactRevision: Revision): Promise<void> {
    let hasDropped = false;
    for (let start = performance.now(); this.#step(compactRevision); start = performance.now()) {
      await this.#host.settled();
      this.#adapt(performance.now() - start);
      hasDropped = true;
      await new Promise(setImmediate); // whoever came meanwhile goes first
    }
    if (hasDropped) this.#host.swept();
  }

  #adapt(tookMs: number): void {
    const wanted = tookMs > stepMs ? this.#stepSize / 2 : this.#stepSize * 1.25;
    this.#stepSize = Math.round(Math.min(Math.max(wanted, stepLimits.least), stepLimits.most));
  }

  /** @returns whether anything was dropped */
  #step(compactRevision: Revision): boolean {
    for (let dropped = 0; dropped < this.#stepSize; dropped += 1) {
      const item = this.#replaced.take(compactRevision) ?? this.#deletions.take(compactRevision);
      if (item === undefined) return dropped > 0;
      this.#drop(item);
    }
    return true;
  }

  #drop({ entry, version }: Obsolete): void {
    const { index, history } = this.#host;
    this.#host.dropVersion(version.id);
    history.release(version);
    entry.versions.splice(entry.versions.indexOf(version), 1);
    if (entry.versions.length === 0) index.remove(entry);
  }
}
