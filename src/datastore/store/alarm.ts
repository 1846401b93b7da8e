/**
 * @module
 * Alarms: a full or damaged store says so until somebody disarms it, over restarts too.
 * Knows: which are raised, and what is refused meanwhile. Leaves to others: when to raise one.
 */
import type { WriteTarget } from './batch.ts';
import { NoSpaceError, StoreCorruptError } from './errors.ts';
import type { Alarm, AlarmStore, AlarmType, Operation, Revision, Txn } from './shapes.ts';

export interface AlarmHost {
  readonly memberId: number;
  write(): WriteTarget;
  /** Resolves when everything decided so far is on disk. */
  settled(): Promise<Revision>;
  onUndo(undo: () => void): void;
}

export class AlarmBook implements AlarmStore {
  readonly #host: AlarmHost;
  readonly #raised = new Map<string, Alarm>();

  constructor(host: AlarmHost) {
    this.#host = host;
  }

  /** At start: those that were raised when the store ended. */
  restore(alarms: readonly Alarm[]): void {
    for (const alarm of alarms) this.#raised.set(alarmName(alarm), alarm);
  }

  list(): readonly Alarm[] {
    return [...this.#raised.values()];
  }

  isRaised(type: AlarmType): boolean {
    for (const alarm of this.#raised.values()) if (alarm.type === type) return true;
    return false;
  }

  /** Before anything that changes the store. @throws {StoreCorruptError} */
  checkChange(): void {
    if (this.isRaised('CORRUPT')) throw new StoreCorruptError();
  }

  /** Before anything that makes the store larger. @throws {StoreCorruptError} @throws {NoSpaceError} */
  checkGrowth(): void {
    this.checkChange();
    if (this.isRaised('NOSPACE')) throw new NoSpaceError();
  }

  /** Both branches count, whichever will be taken: as in etcd. @throws {StoreCorruptError} @throws {NoSpaceError} */
  checkTxn({ success, failure }: Txn): void {
    if (this.#raised.size === 0) return;
    const operations = [...success, ...failure];
    if (operations.some((operation) => operation.kind !== 'range')) this.checkChange();
    if (operations.some(holdsPut)) this.checkGrowth();
  }

  async activate(type: AlarmType, memberId = BigInt(this.#host.memberId)): Promise<Alarm> {
    const alarm = { type, memberId };
    const name = alarmName(alarm);
    if (!this.#raised.has(name)) {
      this.#raised.set(name, alarm);
      this.#host.write().saveAlarm(alarm, true);
      this.#host.onUndo(() => this.#raised.delete(name));
    }
    await this.#host.settled();
    return alarm;
  }

  async deactivate(type: AlarmType, memberId = BigInt(this.#host.memberId)): Promise<Alarm | undefined> {
    const alarm = { type, memberId };
    if (!this.#raised.delete(alarmName(alarm))) return undefined;
    this.#host.write().saveAlarm(alarm, false);
    this.#host.onUndo(() => this.#raised.set(alarmName(alarm), alarm));
    await this.#host.settled();
    return alarm;
  }
}

/** In any branch. */
function holdsPut(operation: Operation): boolean {
  if (operation.kind === 'txn') return [...operation.success, ...operation.failure].some(holdsPut);
  return operation.kind === 'put';
}

const alarmNamePattern = /^alarm\/(NOSPACE|CORRUPT)\/(\d+)$/;

/** What it is called in the table `meta`. */
export function alarmName({ type, memberId }: Alarm): string {
  return `alarm/${type}/${BigInt.asUintN(64, memberId)}`;
}

/** @returns undefined: that is the name of something else */
export function alarmOfName(name: string): Alarm | undefined {
  const [, type, memberId] = alarmNamePattern.exec(name) ?? [];
  if (type === undefined || memberId === undefined) return undefined;
  return { type: type as AlarmType, memberId: BigInt.asIntN(64, BigInt(memberId)) };
}
