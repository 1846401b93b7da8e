/**
 * @module
 * What travels between the index's thread and the writer's: writes packed into one buffer that is handed over, not copied.
 * Each entry is a kind byte and its numbers; numbers are 8 bytes, little endian.
 */
import type { Alarm, LeaseId, Revision } from './shapes.ts';

/** What a lease needs to live on after a restart. */
export interface LeaseRow {
  readonly id: LeaseId;
  readonly ttlSeconds: number;
  /** Milliseconds since 1970 at which it ends if nobody keeps it alive. */
  readonly expiresAt: number;
  /** Somebody keeps it alive, and that is not written each time: after a restart it gets its whole time again. */
  readonly isKeptAlive: boolean;
}

/** The writes one commit can hold. */
export interface WriteTarget {
  putVersion(id: number, record: Uint8Array): void;
  dropVersion(id: number): void;
  saveLease(lease: LeaseRow): void;
  dropLease(id: LeaseId): void;
  setCompactRevision(revision: Revision): void;
  saveAlarm(alarm: Alarm, isRaised: boolean): void;
}

const kinds = {
  putVersion: 1,
  dropVersion: 2,
  saveLease: 3,
  dropLease: 4,
  setCompactRevision: 5,
  saveAlarm: 6,
} as const;

const nothing = Buffer.alloc(0);
/** A rare big batch gives its memory back. */
const maxSpareBytes = 1 << 20;

export class BatchBuilder implements WriteTarget {
  #buffer = nothing;
  #spare = nothing;
  #position = 0;

  get isEmpty(): boolean {
    return this.#position === 0;
  }

  get sizeBytes(): number {
    return this.#position;
  }

  putVersion(id: number, record: Uint8Array): void {
    this.#begin(kinds.putVersion, 16 + record.length);
    this.#number(id);
    this.#number(record.length);
    this.#buffer.set(record, this.#position);
    this.#position += record.length;
  }

  dropVersion(id: number): void {
    this.#begin(kinds.dropVersion, 8);
    this.#number(id);
  }

  saveLease(lease: LeaseRow): void {
    this.#begin(kinds.saveLease, 32);
    this.#wide(lease.id);
    this.#number(lease.ttlSeconds);
    this.#number(lease.expiresAt);
    this.#number(lease.isKeptAlive ? 1 : 0);
  }

  dropLease(id: LeaseId): void {
    this.#begin(kinds.dropLease, 8);
    this.#wide(id);
  }

  setCompactRevision(revision: Revision): void {
    this.#begin(kinds.setCompactRevision, 8);
    this.#number(revision);
  }

  saveAlarm({ type, memberId }: Alarm, isRaised: boolean): void {
    this.#begin(kinds.saveAlarm, 24);
    this.#number(type === 'NOSPACE' ? 1 : 2);
    this.#wide(memberId);
    this.#number(isRaised ? 1 : 0);
  }

  /** The batch so far; the builder starts anew. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#buffer.subarray(0, this.#position);
    this.#buffer = this.#spare;
    this.#spare = nothing;
    this.#position = 0;
    return taken;
  }

  /** Forgets what was written since the last `take`. */
  clear(): void {
    this.#position = 0;
  }

  /** Memory of an earlier batch, for the one after the present. */
  reuse({ buffer }: Uint8Array<ArrayBuffer>): void {
    if (buffer.byteLength <= maxSpareBytes) this.#spare = Buffer.from(buffer);
  }

  #begin(kind: number, size: number): void {
    if (this.#position + size + 1 > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#position + size + 1, 1024));
      this.#buffer.copy(grown, 0, 0, this.#position);
      this.#buffer = grown;
    }
    this.#buffer[this.#position++] = kind;
  }

  #number(value: number): void {
    this.#position = this.#buffer.writeDoubleLE(value, this.#position);
  }

  #wide(value: bigint): void {
    this.#position = this.#buffer.writeBigInt64LE(value, this.#position);
  }
}

/** Calls `target` once for each write of a batch, in order. */
export function replayBatch(batch: Uint8Array, target: WriteTarget): void {
  const buffer = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength);
  let position = 0;
  const number = (): number => buffer.readDoubleLE((position += 8) - 8);
  const wide = (): bigint => buffer.readBigInt64LE((position += 8) - 8);
  while (position < buffer.length) {
    const kind = buffer[position++];
    if (kind === kinds.putVersion) {
      const id = number();
      const length = number();
      target.putVersion(id, buffer.subarray(position, position + length));
      position += length;
    } else if (kind === kinds.dropVersion) target.dropVersion(number());
    else if (kind === kinds.saveLease) {
      target.saveLease({
        id: wide() as LeaseId,
        ttlSeconds: number(),
        expiresAt: number(),
        isKeptAlive: number() === 1,
      });
    } else if (kind === kinds.dropLease) target.dropLease(wide() as LeaseId);
    else if (kind === kinds.setCompactRevision) target.setCompactRevision(number() as Revision);
    else if (kind === kinds.saveAlarm) {
      target.saveAlarm({ type: number() === 1 ? 'NOSPACE' : 'CORRUPT', memberId: wide() }, number() === 1);
    } else throw new RangeError(`batch entry of unknown kind ${kind}`);
  }
}
