import { readdirSync, readFileSync } from 'node:fs';
import { ticksOf } from './stat.ts';

/** How a process fared, and the machine around it; all counts only grow. */
export interface Starvation {
  /** For which its threads waited for a processor though they could have run, in all. Undefined where the kernel does not count. */
  readonly waitedMs: number | undefined;
  /** Whether a thread sleeps and cannot be woken: the disk, or memory that is swapped out, keeps it waiting. */
  readonly isBlocked: boolean;
  readonly processors: Processors;
}

/** What the processors did, all together, in ticks. */
interface Processors {
  readonly idle: number;
  /** For this process. */
  readonly own: number;
  /** For others, on this machine or beside it. */
  readonly others: number;
}

/** Undefined if the process is gone. */
export function starvationOf(pid: number, proc = '/proc'): Starvation | undefined {
  try {
    const tasks = readdirSync(`${proc}/${pid}/task`).map((id) => `${proc}/${pid}/task/${id}`);
    const isBlocked = tasks.some((path) => / D /.test(readFileSync(`${path}/stat`, 'utf8').replace(/^.*\)/, '')));
    return { waitedMs: waitedBy(tasks), isBlocked, processors: processors(pid, proc) };
  } catch {
    return undefined;
  }
}

/**
 * Some kernels have no such file (Raspberry Pi's), others one with zeros.
 * @see kernel Documentation/scheduler/sched-stats.rst
 */
function waitedBy(tasks: readonly string[]): number | undefined {
  let [ran, waited] = [0, 0];
  try {
    for (const path of tasks) {
      const [ranNs, waitedNs] = readFileSync(`${path}/schedstat`, 'utf8').split(' ').map(Number);
      ran += ranNs ?? 0;
      waited += waitedNs ?? 0;
    }
  } catch {
    return undefined;
  }
  return ran > 0 ? waited / 1e6 : undefined;
}

/** @see proc_stat(5) */
function processors(pid: number, proc: string): Processors {
  const [line = ''] = readFileSync(`${proc}/stat`, 'utf8').split('\n', 1);
  const [user = 0, nice = 0, system = 0, idle = 0, disk = 0, irq = 0, softIrq = 0, steal = 0] = line
    .replace(/^cpu +/, '')
    .split(' ')
    .map(Number);
  const own = ticksOf(readFileSync(`${proc}/${pid}/stat`, 'utf8'));
  return { idle: idle + disk, own, others: user + nice + system + irq + softIrq + steal - own };
}

/** Of the time in between, this much waiting says that the machine, not the process, is slow. */
const share = 0.2;
/** And where waiting is not counted: others had most of the processors' time, and next to nothing was left. */
const busy = { othersShare: 0.5, idleShare: 0.1 };

/** Whether a process was kept from running for a good part of `elapsedMs`. */
export function wasStarved(before: Starvation | undefined, after: Starvation | undefined, elapsedMs: number): boolean {
  if (before === undefined || after === undefined) return false;
  if (before.isBlocked && after.isBlocked) return true;
  if (before.waitedMs !== undefined && after.waitedMs !== undefined) {
    return after.waitedMs - before.waitedMs >= share * elapsedMs;
  }
  const idle = after.processors.idle - before.processors.idle;
  const own = after.processors.own - before.processors.own;
  const others = after.processors.others - before.processors.others;
  const all = idle + own + others;
  return all > 0 && others >= busy.othersShare * all && idle <= busy.idleShare * all;
}
