import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, systemCode } from '../../shared/errors.ts';
import { foldersIn, readFileIfExists } from '../../shared/files/files.ts';
import { run } from '../../host/run.ts';
import { removeCgroupTree } from '../../host/process/process.ts';

const mountedAt = '/sys/fs/cgroup';
const reapedWithinMs = 2000;

export interface CgroupsRemoved {
  readonly removed: number;
  /** Each with its reason, for a person. */
  readonly left: readonly string[];
  /** What another Kubernetes has processes in. */
  readonly stayed: readonly string[];
}

/** The cgroups of the pods that these processes are in, below a hierarchy: `/kubepods/burstable/pod7c0e…` */
export function podCgroupsOf(pids: readonly number[]): readonly string[] {
  const texts = pids.map((pid) => readIfAlive(`/proc/${pid}/cgroup`));
  return [...new Set(texts.flatMap(podsIn))];
}

/** @param text of a /proc/PID/cgroup */
export function podsIn(text: string): readonly string[] {
  return [
    ...text.matchAll(
      /^\d+:[^:]*:(\/kubepods(?:\.slice)?\/(?:[^/\n]+\/)*?[^/\n]*pod[0-9a-f_-]{32,36}(?:\.slice)?)(?=\/|$)/gm,
    ),
  ].map(([, path = '']) => path);
}

/**
 * The kubelet's trees: `kubepods` (cgroupfs) or `kubepods.slice` (systemd), in each hierarchy. Every Kubernetes calls them so:
 * where processes are left in one, which are not ours since ours have ended, only the cgroups of our pods go.
 */
export async function removePodCgroups(own: readonly string[], base = mountedAt): Promise<CgroupsRemoved> {
  const left: string[] = [];
  const trees = hierarchiesBelow(base)
    .flatMap((dir) => [join(dir, 'kubepods'), join(dir, 'kubepods.slice')])
    .filter((path) => existsSync(path));
  const ownDirs = hierarchiesBelow(base).flatMap((dir) => own.map((path) => join(dir, path)));
  const isOthers = (path: string) => hasProcess(path, ownDirs);
  const deadline = performance.now() + reapedWithinMs;
  // The kernel reaps a container's last process a moment after it has ended.
  while (trees.some(isOthers) && performance.now() < deadline) await delay(20);
  const shared = trees.filter(isOthers);
  const ours = shared.length > 0 ? ownDirs.filter((path) => existsSync(path)) : trees;
  if (base === mountedAt) await stopSlices(shared.length > 0 ? own : ['kubepods.slice'], left);
  let removed = 0;
  for (const tree of ours) {
    const until = performance.now() + reapedWithinMs;
    while (removeCgroupTree(tree).length > 0 && performance.now() < until) await delay(20);
    if (existsSync(tree)) left.push(`cgroup ${tree} stays: a process is in it`);
    else removed += 1;
  }
  return { removed, left, stayed: shared.map((tree) => `cgroup ${tree}: processes of another Kubernetes are in it`) };
}

function hierarchiesBelow(base: string): readonly string[] {
  if (existsSync(join(base, 'cgroup.controllers'))) return [base];
  return existsSync(base) ? readdirSync(base).map((name) => join(base, name)) : [];
}

/** @param except folders that are not looked into */
function hasProcess(path: string, except: readonly string[]): boolean {
  if (except.includes(path)) return false;
  if (readIfAlive(join(path, 'cgroup.procs')).trim() !== '') return true;
  return foldersIn(path).some((name) => hasProcess(join(path, name), except));
}

/** systemd's own units, which would stay in its list without processes and cgroups. Stopping one stops those below. */
async function stopSlices(paths: readonly string[], left: string[]): Promise<void> {
  if (!existsSync('/run/systemd/system')) return;
  for (const unit of paths.map((path) => basename(path)).filter((name) => name.endsWith('.slice'))) {
    try {
      await run('systemctl', ['stop', unit]);
    } catch (error) {
      left.push(`${unit} stays: ${messageOf(error)}`);
    }
  }
}

/** A process's file gives ESRCH when it ends while it is read, a cgroup's ENODEV. */
function readIfAlive(path: string): string {
  try {
    return readFileIfExists(path) ?? '';
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return '';
  }
}
