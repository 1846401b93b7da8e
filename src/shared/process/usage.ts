import { readFileSync } from 'node:fs';

export interface Usage {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  /** Its fair share of what it shares with others, and what is its own alone. */
  readonly pssBytes: number;
  readonly anonymousBytes: number;
}

const ticksPerSecond = 100; // USER_HZ, the same on every Linux that Node runs on

/** What a process used and holds; undefined when it is gone or may not be looked at. */
export function cpuAndMemory(pid: number): Usage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]); // utime, stime
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const bytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0) * 1024;
    return {
      cpuSeconds: ticks / ticksPerSecond,
      rssBytes: bytes('Rss'),
      pssBytes: bytes('Pss'),
      anonymousBytes: bytes('Anonymous'),
    };
  } catch {
    return undefined;
  }
}
