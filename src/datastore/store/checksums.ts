/**
 * @module
 * What each row of the file carries beside its content, so that a bit that the disk has turned over is found when the row is
 * read: the CRC-32 of all of it, its number too.
 */
import { crc32 } from 'node:zlib';
import type { LeaseRow } from './batch.ts';

/** A row that is not as it was written. */
export class DamagedRowError extends Error {}

export interface VersionRow {
  readonly id: number;
  readonly sub: number;
  readonly record: Uint8Array;
  readonly checksum: number;
}

/** @param sub its place among the versions of its revision */
export function versionChecksum(id: number, sub: number, record: Uint8Array): number {
  // Each bit of the two numbers changes the start, and so the end.
  const start = id ^ Math.imul(Math.floor(id / 2 ** 32), 0x9e37_79b1) ^ Math.imul(sub, 0x85eb_ca6b);
  return crc32(record, start >>> 0);
}

export function leaseChecksum({ id, ttlSeconds, expiresAt, isKeptAlive }: LeaseRow): number {
  return crc32(`${id} ${ttlSeconds} ${expiresAt} ${isKeptAlive}`);
}

export function metaChecksum(name: string, value: number): number {
  return crc32(`${name} ${value}`);
}

/** @throws {DamagedRowError} */
export function checkVersion({ id, sub, record, checksum }: VersionRow): void {
  checkRow(`version ${id}`, checksum, versionChecksum(id, sub, record));
}

/** @throws {DamagedRowError} */
export function checkRow(what: string, found: number, expected: number): void {
  if (found !== expected) throw new DamagedRowError(`${what} is not as it was written`);
}

/** What a set of versions amounts to: equal for equal sets, whatever the order in which they came and went. */
export class Census {
  #count = 0;
  #sum = 0;

  add(checksum: number): void {
    this.#count += 1;
    this.#sum ^= checksum;
  }

  remove(checksum: number): void {
    this.#count -= 1;
    this.#sum ^= checksum;
  }

  copy(): Census {
    const copy = new Census();
    copy.#count = this.#count;
    copy.#sum = this.#sum;
    return copy;
  }

  equals(other: Census): boolean {
    return this.#count === other.#count && this.#sum === other.#sum;
  }
}
