import { readFileSync } from 'node:fs';
import { processStat } from './stat.ts';

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
  const stat = processStat(pid);
  if (stat === undefined) return undefined;
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const bytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0) * 1024;
    return {
      cpuSeconds: stat.cpuTicks / ticksPerSecond,
      rssBytes: bytes('Rss'),
      pssBytes: bytes('Pss'),
      anonymousBytes: bytes('Anonymous'),
    };
  } catch {
    return undefined;
  }
}
