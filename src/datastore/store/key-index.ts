/**
 * @module
 * Every key with the chain of its versions, in memory: a map for one key, sorted blocks for ranges and counts.
 * Keys are latin1 strings here (one code unit a byte), which JavaScript compares as memcmp does.
 */
import type { KeyRange, LeaseId, Revision } from './shapes.ts';
import { keyText } from './record.ts';
import type { RecordOwner } from './record-arena.ts';

/** One version of a key; its record is in memory, or only on disk. */
export interface Version extends RecordOwner {
  /** The row on disk; grows by one with each version, so its order is the order of all writes. */
  readonly id: number;
  readonly revision: Revision;
  readonly createRevision: Revision;
  /** 0: a deletion. */
  readonly version: number;
  readonly lease: LeaseId;
  /** Of its record, wherever that is. */
  readonly sizeBytes: number;
}

export interface KeyEntry {
  readonly key: string;
  /** Oldest first; the last ones may not be on disk yet. */
  readonly versions: Version[];
  /** Exists at the revision that is on disk. */
  isLive: boolean;
  block: Block;
}

interface Block {
  readonly entries: KeyEntry[];
  /** How many of the entries exist at the revision that is on disk. */
  live: number;
}

/** A range as the index wants it; `to` absent: to the end. */
export interface Span {
  readonly from: string;
  readonly to: string | undefined;
  readonly isSingle: boolean;
}

export const everything: Span = { from: '', to: undefined, isSingle: false };

const blockSize = 512;

export function spanOf({ key, rangeEnd }: KeyRange): Span {
  const from = keyText(key);
  if (rangeEnd === undefined || rangeEnd.length === 0) return { from, to: undefined, isSingle: true };
  const isToEnd = rangeEnd.length === 1 && rangeEnd[0] === 0;
  return { from, to: isToEnd ? undefined : keyText(rangeEnd), isSingle: false };
}

export function spanHas(span: Span, key: string): boolean {
  return span.isSingle ? key === span.from : key >= span.from && (span.to === undefined || key < span.to);
}

/** The newest version at `revision`, deletions included. */
export function versionAt(entry: KeyEntry, revision: Revision): Version | undefined {
  const { versions } = entry;
  const last = versions.at(-1);
  if (last === undefined || last.revision <= revision) return last;
  let low = 0;
  let high = versions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((versions[middle]?.revision ?? Infinity) <= revision) low = middle + 1;
    else high = middle;
  }
  return versions[low - 1];
}

/** As `versionAt`, but nothing where the key was deleted. */
export function liveVersionAt(entry: KeyEntry | undefined, revision: Revision): Version | undefined {
  const version = entry === undefined ? undefined : versionAt(entry, revision);
  return version === undefined || version.version === 0 ? undefined : version;
}

export class KeyIndex {
  readonly #byKey = new Map<string, KeyEntry>();
  readonly #blocks: Block[] = [{ entries: [], live: 0 }];

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): KeyEntry | undefined {
    return this.#byKey.get(key);
  }

  getOrCreate(key: string): KeyEntry {
    const found = this.#byKey.get(key);
    if (found !== undefined) return found;
    const block = this.#blockAt(this.#blockFor(key));
    const entry: KeyEntry = { key, versions: [], isLive: false, block };
    block.entries.splice(lowerBound(block.entries, key), 0, entry);
    this.#byKey.set(key, entry);
    if (block.entries.length > blockSize) this.#split(block);
    return entry;
  }

  /** The key is forgotten whole; it must not be live. */
  remove(entry: KeyEntry): void {
    this.#byKey.delete(entry.key);
    const { entries } = entry.block;
    entries.splice(lowerBound(entries, entry.key), 1);
    if (entries.length === 0 && this.#blocks.length > 1) this.#blocks.splice(this.#blocks.indexOf(entry.block), 1);
  }

  /** Says whether a key exists at the revision that is on disk. */
  setLive(entry: KeyEntry, isLive: boolean): void {
    if (entry.isLive === isLive) return;
    entry.isLive = isLive;
    entry.block.live += isLive ? 1 : -1;
  }

  /** In order of keys, until `visit` returns false. */
  visit(span: Span, visit: (entry: KeyEntry) => boolean | void): void {
    if (span.isSingle) {
      const entry = this.#byKey.get(span.from);
      if (entry !== undefined) visit(entry);
      return;
    }
    for (let at = this.#blockFor(span.from); at < this.#blocks.length; at += 1) {
      const { entries } = this.#blockAt(at);
      for (let i = lowerBound(entries, span.from); i < entries.length; i += 1) {
        const entry = entries[i];
        if (entry === undefined || (span.to !== undefined && entry.key >= span.to)) return;
        if (visit(entry) === false) return;
      }
    }
  }

  /** How many keys of the span exist at the revision on disk: whole blocks are counted without a look inside. */
  countLive(span: Span): number {
    if (span.isSingle) return this.#byKey.get(span.from)?.isLive === true ? 1 : 0;
    let count = 0;
    const first = this.#blockFor(span.from);
    for (let at = first; at < this.#blocks.length; at += 1) {
      const { entries, live } = this.#blockAt(at);
      const lastKey = entries.at(-1)?.key;
      const isWhole = at > first && (span.to === undefined || (lastKey !== undefined && lastKey < span.to));
      if (isWhole) {
        count += live;
        continue;
      }
      for (let i = lowerBound(entries, span.from); i < entries.length; i += 1) {
        const entry = entries[i];
        if (entry === undefined || (span.to !== undefined && entry.key >= span.to)) return count;
        if (entry.isLive) count += 1;
      }
    }
    return count;
  }

  /** The block that has the key, or where it would go: the last one whose first key is not greater. */
  #blockFor(key: string): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const first = this.#blockAt(middle).entries[0];
      if (first !== undefined && first.key <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(low - 1, 0);
  }

  #blockAt(at: number): Block {
    const block = this.#blocks[at];
    if (block === undefined) throw new RangeError(`block ${at} of ${this.#blocks.length}`);
    return block;
  }

  #split(block: Block): void {
    const upper: Block = { entries: block.entries.splice(blockSize / 2), live: 0 };
    for (const entry of upper.entries) {
      entry.block = upper;
      if (entry.isLive) upper.live += 1;
    }
    block.live -= upper.live;
    this.#blocks.splice(this.#blocks.indexOf(block) + 1, 0, upper);
  }
}

/** Index of the first entry that is not below `key`. */
function lowerBound(entries: readonly KeyEntry[], key: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.key ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
