import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { writeFileAtomicSync } from '../../shared/files/files.ts';
import type { Log } from '../../shared/log/log.ts';
import { processStat } from './stat.ts';

/** Which children live now, on disk, so that a start after a crash finds those that are left. */
export interface ChildRegistry {
  add(name: string, pid: number): void;
  remove(pid: number): void;
}

interface Child {
  readonly name: string;
  readonly pid: number;
  /** Ticks since boot at which the process started, and the boot: together with the pid they name one process for ever. */
  readonly startTime: string;
  readonly bootId: string;
}

/** A file that cannot be written is a warning: children are looked after all the same. */
export function childRegistry(path: string, log: Log): ChildRegistry {
  const children = new Map<number, Child>();
  const save = () => {
    try {
      writeFileAtomicSync(path, JSON.stringify([...children.values()]), 0o600);
    } catch (error) {
      log.warn('children not written down; after a crash they would be left', { path, error });
    }
  };
  return {
    add(name, pid) {
      const startTime = startTimeOf(pid);
      if (startTime === undefined) return; // it has ended already
      children.set(pid, { name, pid, startTime, bootId: bootId() });
      save();
    },
    remove(pid) {
      if (children.delete(pid)) save();
    },
  };
}

/**
 * Ends the children that an earlier kagent on this data dir left behind. A process is ended only if its pid, its start
 * time and the boot are those on record: a pid that was given to another program since is left alone.
 * @returns the names of those it ended
 */
export async function endLeftOvers(path: string, log: Log): Promise<readonly string[]> {
  const left = (await readChildren(path)).filter(isStillThere);
  for (const child of left) {
    log.warn('ending a child left by an earlier kagent', { component: child.name, pid: child.pid });
    kill(child.pid, 'SIGTERM');
  }
  const deadline = performance.now() + 5000;
  while (left.some(isStillThere) && performance.now() < deadline) await delay(20);
  for (const child of left.filter(isStillThere)) kill(child.pid, 'SIGKILL');
  while (left.some(isStillThere)) await delay(20);
  return left.map((child) => child.name);
}

async function readChildren(path: string): Promise<readonly Child[]> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Child[];
  } catch {
    return []; // a first start, or a file cut short by a power cut: then nothing of it is alive either
  }
}

/** By its start: another process may have its pid. */
function isStillThere(child: Child): boolean {
  return child.bootId === bootId() && child.startTime === startTimeOf(child.pid);
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH: gone
  }
}

/** Undefined for a process that is not there or only waits to be reaped. */
export function startTimeOf(pid: number): string | undefined {
  const stat = processStat(pid);
  return stat?.state === 'Z' ? undefined : stat?.startTime;
}

/** Tells a process from every other there was or will be on this box. */
export function processRun(pid: number): string {
  return `${bootId()} ${pid} ${startTimeOf(pid) ?? ''}`;
}

/** Another one each time the host is started. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
