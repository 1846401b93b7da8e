import { readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, systemCode } from '../../shared/errors.ts';
import { realPath } from '../../shared/files/files.ts';
import type { EndPodsOptions } from '../../host/remove/remove.ts';
import { isBelow, parseMounts, readMounts } from '../../host/mounts/mounts.ts';
import type { Mount } from '../../host/mounts/mounts.ts';
import { runPaths } from '../../shared/paths.ts';
import { isAlive, processStat } from '../../host/process/process.ts';
import { run } from '../../host/run.ts';
import { podCgroupsOf, removePodCgroups } from './pod-cgroups.ts';

/** What `endPods` did, and what it could not do. */
export interface PodsEnded {
  readonly shims: number;
  readonly processes: number;
  readonly mounts: number;
  readonly cgroups: number;
  /** Each with its reason, for a person. */
  readonly left: readonly string[];
  /** What is not ours, in sentences. */
  readonly stayed: readonly string[];
}

const deadlineMs = 10_000;

/**
 * Ends every pod of our containerd, which must not run any more: shims and all below them, their mounts, network
 * namespaces and cgroups. Others' containers are not touched, nor those of a kagent in a PID namespace below or beside this one,
 * a lab's or another container's, whose paths are called as ours are: a shim is ours by its `-address` and by the folder
 * that it finds there. Safe to repeat.
 */
export async function endPods({
  paths,
  others = [],
  runDir = runPaths.containerd,
}: EndPodsOptions & { readonly runDir?: string }): Promise<PodsEnded> {
  const { shims, all } = podProcesses(runDir);
  const podCgroups = podCgroupsOf(all);
  for (const pid of shims) kill(pid); // first: a shim whose container ends would only tell containerd
  for (const pid of all) kill(pid);
  const deadline = performance.now() + deadlineMs;
  while (all.some(isAlive) && performance.now() < deadline) await delay(20);
  const left = all.filter(isAlive).map((pid) => `process ${pid} does not end`);
  // A disk that its owner mounted elsewhere below the kubelet's or containerd's folder is left alone.
  const ours = ['pods', 'plugins'].map((name) => join(paths.agent.kubelet, name));
  const mounts = await unmountBelow([...ours, runDir, join(paths.agent.containerd, 'tmpmounts')], others, left);
  await unmountKubeletsOwn(paths.agent.kubelet, left);
  // Never through a mount that stays: what is behind it is a pod's volume.
  if (mountsBelow(readMounts(), [runDir]).length === 0) rmSync(runDir, { recursive: true, force: true });
  const cgroups = await removePodCgroups(podCgroups);
  left.push(...cgroups.left);
  return { shims: shims.length, processes: all.length, mounts, cgroups: cgroups.removed, left, stayed: cgroups.stayed };
}

/** @param runDir containerd's, with its socket @returns pids: of shims, and of all processes of pods, these included */
export function podProcesses(runDir: string): { readonly shims: readonly number[]; readonly all: readonly number[] } {
  const processes = readProcesses();
  const socketPath = join(runDir, basename(runPaths.containerdSocket));
  const shims = processes
    .filter(({ pid, cmdline }) => isOurShim(cmdline, socketPath) && seesOurs(pid, runDir))
    .map(({ pid }) => pid);
  return { shims, all: withDescendants([...shims, ...containersOf(runDir, processes)], processes) };
}

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly cmdline: readonly string[];
}

/** A shim carries the socket of the containerd it belongs to. */
export function isOurShim(cmdline: readonly string[], socketPath: string): boolean {
  const [command = ''] = cmdline;
  if (!command.endsWith('containerd-shim-runc-v2')) return false;
  const at = cmdline.indexOf('-address');
  return at > 0 && cmdline[at + 1] === socketPath;
}

/** The processes named, and their children's children: shims adopt what containers leave. */
export function withDescendants(pids: readonly number[], processes: readonly ProcessEntry[]): readonly number[] {
  const found = new Set(pids);
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const { pid, parent } of processes) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

/**
 * It counts processes as we do, and what it knows by that path is our folder: of two kagents that each have a `/run` of their
 * own, one in a container without a PID namespace included, neither ends the other's.
 */
function seesOurs(pid: number, runDir: string): boolean {
  try {
    if (readlinkSync(`/proc/${pid}/ns/pid`) !== readlinkSync('/proc/self/ns/pid')) return false;
    return identityOf(join(`/proc/${pid}/root`, runDir)) === identityOf(runDir);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false; // it has ended meanwhile
  }
}

/** undefined where nothing is there */
function identityOf(folder: string): string | undefined {
  const there = statSync(folder, { throwIfNoEntry: false });
  return there === undefined ? undefined : `${there.dev} ${there.ino}`;
}

/** Those whose `/` is what our containerd has mounted for a container, whatever has become of their shim. */
function containersOf(runDir: string, processes: readonly ProcessEntry[]): readonly number[] {
  const real = realPath(runDir);
  const roots = readMounts().filter(({ point }) => isBelow(point, real));
  const own = readlinkSync('/proc/self/ns/mnt');
  return processes.flatMap(({ pid }) => {
    try {
      if (readlinkSync(`/proc/${pid}/ns/mnt`) === own) return [];
      return hasRootOf(parseMounts(readFileSync(`/proc/${pid}/mountinfo`, 'utf8')), roots) ? [pid] : [];
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      return []; // it has ended meanwhile
    }
  });
}

/** By the file system and the folder in it, not by the names of its layers, which every kagent calls alike. */
export function hasRootOf(mounts: readonly Mount[], roots: readonly Pick<Mount, 'device' | 'root'>[]): boolean {
  const own = mounts.find(({ point }) => point === '/');
  return own !== undefined && roots.some(({ device, root }) => device === own.device && root === own.root);
}

function readProcesses(): readonly ProcessEntry[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = processStat(Number(name));
        if (stat === undefined) return [];
        const cmdline = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
        return [{ pid: Number(name), parent: stat.parent, cmdline }];
      } catch {
        return []; // it has ended meanwhile
      }
    });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ESRCH: gone
  }
}

/** Mount points below one of `folders`, which may lead elsewhere by links, the innermost first. */
export function mountsBelow(mounts: readonly Mount[], folders: readonly string[]): readonly string[] {
  const real = folders.map(realPath);
  return mounts
    .map((mount) => mount.point)
    .filter((point) => real.some((folder) => isBelow(point, folder)))
    .toReversed();
}

async function unmountBelow(folders: readonly string[], others: readonly string[], left: string[]): Promise<number> {
  const theirs = others.map(realPath);
  const points = mountsBelow(readMounts(), folders).filter(
    (point) => !theirs.some((folder) => point === folder || isBelow(point, folder)),
  );
  for (const point of points) await unmount(point, left);
  return points.length;
}

/** Where `/` is not shared, the kubelet binds its folder to itself. A disk that somebody mounted there is left alone. */
async function unmountKubeletsOwn(folder: string, left: string[]): Promise<void> {
  const real = realPath(folder);
  if (isBoundToItself(readMounts(), real)) await unmount(real, left);
}

export function isBoundToItself(mounts: readonly Mount[], folder: string): boolean {
  const mount = mounts.findLast((one) => one.point === folder);
  const parent = mounts.find((one) => one.id === mount?.parentId);
  if (mount === undefined || parent === undefined || mount.device !== parent.device) return false;
  return mount.root === join(parent.root, relative(parent.point, folder));
}

export async function unmount(point: string, left: string[]): Promise<void> {
  try {
    await run('umount', ['-l', point]);
  } catch (error) {
    // Where `/var` is bound to itself, both have each mount below it, and one goes with the other.
    if (readMounts().every((mount) => mount.point !== point)) return;
    left.push(`mount ${point} stays: ${messageOf(error)}`);
  }
}
