/**
 * @module
 * Whether there is room for more: the disk's, and what the operator allows.
 *
 *   quota reached ──▶ alarm NOSPACE, until an operator clears it
 *   disk full     ──▶ refused, until the disk's thread could fill its reserve again: by itself
 */
import { NoSpaceError } from './errors.ts';
import type { AlarmStore } from './shapes.ts';

/** As etcd. */
export const defaultQuotaBytes = 2 * 1024 ** 3;
/** After so much more the file is measured again. */
const measureEveryBytes = 1 << 20;

export interface SpaceHost {
  readonly alarms: AlarmStore;
  usedBytes(): Promise<number>;
}

export class SpaceGuard {
  readonly quotaBytes: number;
  private readonly host: SpaceHost;
  private usedBytes = 0;
  private addedBytes = 0;
  private isMeasuring = false;
  private isDiskFull = false;

  constructor(quotaBytes: number, host: SpaceHost) {
    this.quotaBytes = quotaBytes;
    this.host = host;
  }

  /** Before anything that makes the store larger. @throws {NoSpaceError} */
  checkGrowth(): void {
    if (this.isDiskFull) throw new NoSpaceError();
    if (this.usedBytes + this.addedBytes <= this.quotaBytes) return;
    // Whoever waits for the alarm has its own answer; the refusal holds without it.
    this.host.alarms.activate('NOSPACE').catch(() => {});
    throw new NoSpaceError();
  }

  grew(bytes: number): void {
    this.addedBytes += bytes;
    if (this.addedBytes > measureEveryBytes) void this.measure();
  }

  diskIsFull(isFull: boolean): void {
    this.isDiskFull = isFull;
  }

  async measure(): Promise<void> {
    if (this.isMeasuring) return;
    this.isMeasuring = true;
    try {
      this.addedBytes = 0;
      this.usedBytes = await this.host.usedBytes();
    } catch {
      // The disk's thread has ended, and the store hears of that itself.
    } finally {
      this.isMeasuring = false;
    }
  }
}
