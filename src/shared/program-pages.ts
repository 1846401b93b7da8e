/**
 * Pages of a program's own file. A start runs through much of it once; what it has mapped stays mapped, and counts as memory of
 * the process, until the kernel is short of it. Given up, it stays in the page cache, and what is used again is mapped again.
 */
import { readFileSync } from 'node:fs';

/** @see madvise(2) */
const madvDontNeed = 4;

/** A piece of memory, as `/proc/<pid>/smaps` has it. */
export interface Mapping {
  readonly start: bigint;
  readonly end: bigint;
}

/** Unmaps this process's own executable, as far as nothing was ever written there. Does nothing where that cannot be. */
export async function giveUpProgramPages(): Promise<void> {
  try {
    const { dlopen } = await import('node:ffi');
    const signature = { arguments: ['pointer', 'u64', 'i32'], return: 'i32' } as const;
    using libc = dlopen(null, { madvise: signature });
    for (const { start, end } of cleanMappings(readFileSync('/proc/self/smaps', 'utf8'), process.execPath))
      libc.functions.madvise(start, end - start, madvDontNeed);
  } catch {
    // It costs a few MiB, no more.
  }
}

/** Of a file, what is mapped to be read or run and is as it is in the file. */
export function cleanMappings(smaps: string, path: string): readonly Mapping[] {
  return smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).flatMap((entry) => {
    const [, start, end, name] = /^([0-9a-f]+)-([0-9a-f]+) r-.p \S+ \S+ \d+ +(.*)$/m.exec(entry) ?? [];
    const isClean = /^Anonymous: +0 kB$/m.test(entry);
    return name === path && isClean ? [{ start: BigInt(`0x${start}`), end: BigInt(`0x${end}`) }] : [];
  });
}
