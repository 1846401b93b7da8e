import { readdirSync, readFileSync } from 'node:fs';

/** How a process fared: what its threads ran, and waited for a processor though they could have run, in all. */
export interface Starvation {
  readonly waitedMs: number;
  /** Whether a thread sleeps and cannot be woken: the disk, or memory that is swapped out, keeps it waiting. */
  readonly isBlocked: boolean;
}

/** Undefined where the kernel does not count, or the process is gone. @see kernel Documentation/scheduler/sched-stats.rst */
export function starvationOf(pid: number): Starvation | undefined {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`).map((id) => `/proc/${pid}/task/${id}`);
    const waited = tasks.map((path) => Number(readFileSync(`${path}/schedstat`, 'utf8').split(' ')[1]) / 1e6);
    const isBlocked = tasks.some((path) => / D /.test(readFileSync(`${path}/stat`, 'utf8').replace(/^.*\)/, '')));
    return { waitedMs: waited.reduce((sum, one) => sum + one, 0), isBlocked };
  } catch {
    return undefined;
  }
}

/** Of the time in between, this much waiting says that the machine, not the process, is slow. */
const share = 0.2;

/** Whether a process was kept from running for a good part of `elapsedMs`. */
export function wasStarved(before: Starvation | undefined, after: Starvation | undefined, elapsedMs: number): boolean {
  if (before === undefined || after === undefined) return false;
  return (before.isBlocked && after.isBlocked) || after.waitedMs - before.waitedMs >= share * elapsedMs;
}
