/**
 * @module
 * Which superseded versions keep their record in memory: the youngest, up to a budget. Older ones are read from the disk
 * when somebody asks, which is rare: a watch that starts far back, a page of a list at an old revision.
 */
import { CompactedError } from './errors.ts';
import type { RecordArena } from './record-arena.ts';
import type { Version } from './key-index.ts';
import type { Revision } from './shapes.ts';

export class HistoryBudget {
  readonly #budgetBytes: number;
  readonly #arena: RecordArena;
  #queue: Version[] = [];
  #head = 0;
  #usedBytes = 0;

  constructor(budgetBytes: number, arena: RecordArena) {
    this.#budgetBytes = budgetBytes;
    this.#arena = arena;
  }

  /** A version is no longer the newest of its key. */
  superseded(version: Version): void {
    this.#queue.push(version);
    this.#usedBytes += sizeOf(version);
    while (this.#usedBytes > this.#budgetBytes) {
      const oldest = this.#queue[this.#head++];
      if (oldest === undefined) break;
      this.release(oldest);
    }
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }

  /** A superseded version gives its record back: only the disk has it now, or nobody. */
  release(version: Version): void {
    this.#usedBytes -= sizeOf(version);
    this.#arena.release(version);
  }
}

function sizeOf(version: Version): number {
  return version.record?.length ?? 0;
}

type Read = (ids: readonly number[]) => Promise<ReadonlyMap<number, Uint8Array>>;

/**
 * Gathers the records an answer needs. What is in memory is taken at once, so that nothing that happens later can
 * change it; the rest is read from the disk in one go.
 */
export class RecordLoader {
  readonly #missing: number[] = [];
  readonly #waiting: ((loaded: ReadonlyMap<number, Uint8Array>) => void)[] = [];

  /** Calls `use` with the versions' records: now if memory has them all, otherwise inside `load`. */
  collect(versions: readonly Version[], use: (records: Uint8Array[]) => void): void {
    const records: Uint8Array[] = [];
    for (const { record } of versions) if (record !== undefined) records.push(record);
    if (records.length === versions.length) {
      use(records);
      return;
    }
    const inMemory = versions.map((version) => version.record);
    for (const version of versions) if (version.record === undefined) this.#missing.push(version.id);
    this.#waiting.push((loaded) =>
      use(versions.map((version, at) => present(inMemory[at] ?? loaded.get(version.id), version.revision))),
    );
  }

  /** @throws {CompactedError} when a record was dropped from the disk meanwhile */
  async load(read: Read): Promise<void> {
    if (this.#waiting.length === 0) return;
    const loaded = await read(this.#missing);
    for (const use of this.#waiting) use(loaded);
  }
}

/** Records leave the disk by compaction alone. */
function present(record: Uint8Array | undefined, revision: Revision): Uint8Array {
  if (record === undefined) throw new CompactedError(revision, revision);
  return record;
}
