/**
 * @module
 * Whether there is room for more: the disk's, and what the operator allows.
 *
 *   quota reached ──▶ alarm NOSPACE, until an operator clears it
 *   disk full     ──▶ refused, until the disk's thread could fill its reserve again: by itself
 */
import { NoSpaceError } from './errors.ts';
import type { AlarmStore, Operation, Txn } from './shapes.ts';

/** As etcd. */
export const defaultQuotaBytes = 2 * 1024 ** 3;
/** After so much more the file is measured again. */
const measureEveryBytes = 1 << 20;

/** What etcd counts for a key beside its bytes, and for a lease. */
const keyOverheadBytes = 256;
export const leaseBytes = 64;

/** What a Txn may add, by the branch that puts more. As etcd counts: 0 for one that puts nothing. */
export function growthOf({ success, failure }: Pick<Txn, 'success' | 'failure'>): number {
  return Math.max(growthOfBranch(success), growthOfBranch(failure));
}

function growthOfBranch(operations: readonly Operation[]): number {
  let bytes = 0;
  for (const operation of operations) {
    if (operation.kind === 'put') bytes += keyOverheadBytes + operation.key.length + operation.value.length;
    else if (operation.kind === 'txn') bytes += growthOf(operation);
  }
  return bytes;
}

export interface SpaceHost {
  readonly alarms: AlarmStore;
  usedBytes(): Promise<number>;
}

export class SpaceGuard {
  readonly quotaBytes: number;
  readonly #host: SpaceHost;
  #usedBytes = 0;
  #addedBytes = 0;
  #isMeasuring = false;
  #isDiskFull = false;

  constructor(quotaBytes: number, host: SpaceHost) {
    this.quotaBytes = quotaBytes;
    this.#host = host;
  }

  /** Before anything that makes the store larger, by about so much. @throws {NoSpaceError} */
  checkGrowth(bytes: number): void {
    if (bytes === 0) return;
    if (this.#isDiskFull) throw new NoSpaceError();
    if (this.#usedBytes + this.#addedBytes + bytes < this.quotaBytes) return;
    // Whoever waits for the alarm has its own answer; the refusal holds without it.
    this.#host.alarms.activate('NOSPACE').catch(() => {});
    throw new NoSpaceError();
  }

  grew(bytes: number): void {
    this.#addedBytes += bytes;
    if (this.#addedBytes > measureEveryBytes) void this.measure();
  }

  diskIsFull(isFull: boolean): void {
    this.#isDiskFull = isFull;
  }

  async measure(): Promise<void> {
    if (this.#isMeasuring) return;
    this.#isMeasuring = true;
    try {
      this.#addedBytes = 0;
      this.#usedBytes = await this.#host.usedBytes();
    } catch {
      // The disk's thread has ended, and the store hears of that itself.
    } finally {
      this.#isMeasuring = false;
    }
  }
}
