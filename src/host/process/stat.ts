import { readFileSync } from 'node:fs';

/** What /proc/PID/stat says of a process. @see proc_pid_stat(5) */
export interface ProcessStat {
  /** One letter; `Z` has ended and waits to be reaped. */
  readonly state: string;
  readonly parent: number;
  /** Time it has used, user and system, in ticks. */
  readonly cpuTicks: number;
  /** Ticks since boot at which it started, as text: it is only compared. */
  readonly startTime: string;
}

/** A process that has ended and only waits to be reaped is not. */
export function isAlive(pid: number): boolean {
  const stat = processStat(pid);
  return stat !== undefined && stat.state !== 'Z';
}

/** Undefined for a process that is not there. */
export function processStat(pid: number): ProcessStat | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  const fields = fieldsOf(stat);
  const [state = '', parent] = fields;
  return {
    state,
    parent: Number(parent),
    cpuTicks: ticksOf(stat),
    startTime: fields[19] ?? '',
  };
}

/** Time a process has used, user and system, by the text of its stat. */
export function ticksOf(stat: string): number {
  const fields = fieldsOf(stat);
  return Number(fields[11]) + Number(fields[12]);
}

/** From its state on. */
function fieldsOf(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before may hold spaces
}
