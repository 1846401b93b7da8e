/**
 * @module
 * What was decided and is not on disk yet: made visible when its batch is, taken back when the disk is full.
 */
import type { KeyEntry, Version } from './key-index.ts';
import type { Revision } from './shapes.ts';

export interface VersionChange {
  readonly entry: KeyEntry;
  readonly version: Version;
  /** The version that it takes the place of; undefined where the key did not exist. */
  readonly previous: Version | undefined;
}

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

interface Undo {
  /** How many of the changes came before. */
  readonly position: number;
  readonly run: () => void;
}

/** All that leaves in one batch. */
export class Pending {
  readonly changes: VersionChange[] = [];
  /** Rows of old versions that leave the disk. */
  readonly droppedIds: number[] = [];
  compactRevision: Revision | undefined;
  /** The newest revision in it; 0: none. */
  revision = 0 as Revision;
  readonly #undos: Undo[] = [];
  readonly #waiting: Waiting[] = [];

  /** Resolves when all of it is on disk. @throws {NoSpaceError} when it did not find room there */
  settled(): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** How to take back what is no version: a lease, an alarm. */
  onUndo(run: () => void): void {
    this.#undos.push({ position: this.changes.length, run });
  }

  /** Takes everything back, the last first. */
  undo(undoChange: (change: VersionChange) => void): void {
    for (let at = this.changes.length; at >= 0; at -= 1) {
      for (let last = this.#undos.at(-1); last?.position === at; last = this.#undos.at(-1)) {
        this.#undos.pop();
        last.run();
      }
      const change = this.changes[at - 1];
      if (change !== undefined) undoChange(change);
    }
  }

  resolve(): void {
    for (const waiting of this.#waiting) waiting.resolve();
  }

  reject(error: Error): void {
    for (const waiting of this.#waiting) waiting.reject(error);
  }
}

/** Batches that are on their way to the disk, oldest first, and the one that is being filled. */
export class PendingQueue {
  #filling = new Pending();
  readonly #inFlight: Pending[] = [];

  get filling(): Pending {
    return this.#filling;
  }

  /** The writer has taken what there was: the next change begins another batch. */
  taken(): void {
    this.#inFlight.push(this.#filling);
    this.#filling = new Pending();
  }

  /** @returns the one that is on disk now */
  committed(): Pending | undefined {
    return this.#inFlight.shift();
  }

  /**
   * Gives up all of them, the last first: they were decided on top of each other. Whoever waits is told so.
   * @returns rows that were to be dropped with them
   */
  refuse(undoChange: (change: VersionChange) => void, error: Error): readonly number[] {
    const refused = [...this.#inFlight.splice(0), this.#filling];
    this.#filling = new Pending();
    for (const pending of refused.toReversed()) pending.undo(undoChange);
    for (const pending of refused) pending.reject(error);
    return refused.flatMap(({ droppedIds }) => droppedIds);
  }

  /** The last of them, in which everything is that was decided so far. @param hasUnsent whether one is being filled */
  last(hasUnsent: boolean): Pending | undefined {
    return hasUnsent ? this.#filling : this.#inFlight.at(-1);
  }
}
