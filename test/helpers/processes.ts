import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Box } from './cluster.ts';

export interface BoxProcess {
  /** As the box counts. */
  readonly pid: number;
  /** Ticks since boot: with the pid, it tells one process from every other. */
  readonly startTime: string;
  /** The first word of its command line, without folders. */
  readonly name: string;
  readonly commandLine: string;
  /** Whether it runs in a pod: a container's own process, or the pod's pause. */
  readonly isPods: boolean;
}

/** What the lab itself runs in a box, under its first process. */
const labsOwn = 'sleep 1000';

/** Every process of a box, the lab's left out. */
export function processesOf(box: Box): readonly BoxProcess[] {
  const proc = box.path('/proc');
  return readdirSync(proc)
    .filter((name) => /^\d+$/.test(name) && name !== '1')
    .flatMap((pid) => processAt(join(proc, pid)));
}

/** What must stay the same while kagent comes and goes: one line per process of a pod. */
export function podProcessesOf(box: Box): readonly string[] {
  return processesOf(box)
    .filter((process) => process.isPods)
    .map(({ pid, startTime, commandLine }) => `${pid} since ${startTime}: ${commandLine}`)
    .toSorted();
}

function processAt(dir: string): readonly BoxProcess[] {
  try {
    const stat = readFileSync(join(dir, 'stat'), 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before may hold spaces
    const commandLine = readFileSync(join(dir, 'cmdline'), 'utf8').replaceAll('\0', ' ').trim();
    if (fields[0] === 'Z' || commandLine === '' || commandLine === labsOwn) return [];
    return [
      {
        pid: Number(basename(dir)),
        startTime: fields[19] ?? '',
        name: basename(commandLine.split(' ', 1).join('')),
        commandLine,
        isPods: /kubepods/.test(readFileSync(join(dir, 'cgroup'), 'utf8')),
      },
    ];
  } catch {
    return []; // it ended meanwhile
  }
}

/** Of the box's kagent itself: now, and the most it ever held in all. */
export function kagentMemory(box: Box): {
  readonly anonymousMiB: number;
  readonly peakRssMiB: number;
} {
  const own = processesOf(box).find(({ commandLine }) => /\/kagent (server|agent)/.test(commandLine));
  const figure = (file: string, key: string) => {
    const text = readFileSync(box.path(`/proc/${own?.pid}/${file}`), 'utf8');
    return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1024;
  };
  return { anonymousMiB: figure('smaps_rollup', 'Anonymous'), peakRssMiB: figure('status', 'VmHWM') };
}
