import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf } from '../../shared/errors.ts';
import { realPath } from '../../shared/files/files.ts';
import { isBelow, readMounts, type Mount } from '../../shared/mounts/mounts.ts';
import { runPaths, type Paths } from '../../shared/paths.ts';
import { processStat } from '../../shared/process/process.ts';
import { removePodCgroups } from './pod-cgroups.ts';

/** What `endPods` did, and what it could not do. */
export interface PodsEnded {
  readonly shims: number;
  readonly processes: number;
  readonly mounts: number;
  readonly cgroups: number;
  /** Each with its reason, for a person. */
  readonly left: readonly string[];
}

const deadlineMs = 10_000;
const run = promisify(execFile);

/**
 * Ends every pod of our containerd, which must not run any more: shims and all below them, their mounts, network
 * namespaces and cgroups. Others' containers are not touched: a shim is ours by its `-address`. Safe to repeat.
 */
export async function endPods(paths: Paths, socketPath: string = runPaths.containerdSocket): Promise<PodsEnded> {
  const processes = readProcesses();
  const shims = processes.filter((entry) => isOurShim(entry.cmdline, socketPath)).map((entry) => entry.pid);
  const orphans = containersOf(paths.agent.containerd, processes);
  const all = withDescendants([...shims, ...orphans], processes);
  for (const pid of shims) kill(pid); // first: a shim whose container ends would only tell containerd
  for (const pid of all) kill(pid);
  const deadline = performance.now() + deadlineMs;
  while (all.some(isAlive) && performance.now() < deadline) await delay(20);
  const left = all.filter(isAlive).map((pid) => `process ${pid} does not end`);
  // A disk that its owner mounted elsewhere below the kubelet's or containerd's folder is left alone.
  const ours = ['pods', 'plugins'].map((name) => join(paths.agent.kubelet, name));
  const mounts = await unmountBelow([...ours, runPaths.containerd, join(paths.agent.containerd, 'tmpmounts')], left);
  await unmountKubeletsOwn(paths.agent.kubelet, left);
  // Never through a mount that stays: what is behind it is a pod's volume.
  if (mountsBelow(readMounts(), [runPaths.containerd]).length === 0) {
    rmSync(runPaths.containerd, { recursive: true, force: true });
  }
  const cgroups = await removePodCgroups(left);
  return { shims: shims.length, processes: all.length, mounts, cgroups, left };
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

/** Those that run on a file system our containerd has made, whatever has become of their shim. */
function containersOf(containerdDir: string, processes: readonly ProcessEntry[]): readonly number[] {
  const own = readlinkSync('/proc/self/ns/mnt');
  return processes.flatMap(({ pid }) => {
    try {
      if (readlinkSync(`/proc/${pid}/ns/mnt`) === own) return [];
      return hasRootFrom(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'), containerdDir) ? [pid] : [];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}

/** Its `/` is one of containerd's snapshots: layers of an overlay, or a folder. */
export function hasRootFrom(mountinfo: string, containerdDir: string): boolean {
  const root = mountinfo.split('\n').find((line) => line.split(' ')[4] === '/');
  return root?.includes(`${containerdDir}/`) === true;
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

function isAlive(pid: number): boolean {
  const stat = processStat(pid);
  return stat !== undefined && stat.state !== 'Z';
}

/** Mount points below one of `folders`, which may lead elsewhere by links, the innermost first. */
export function mountsBelow(mounts: readonly Mount[], folders: readonly string[]): readonly string[] {
  const real = folders.map(realPath);
  return mounts
    .map((mount) => mount.point)
    .filter((point) => real.some((folder) => isBelow(point, folder)))
    .toReversed();
}

async function unmountBelow(folders: readonly string[], left: string[]): Promise<number> {
  const points = mountsBelow(readMounts(), folders);
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

async function unmount(point: string, left: string[]): Promise<void> {
  try {
    await run('umount', ['-l', point]);
  } catch (error) {
    left.push(`mount ${point} stays: ${messageOf(error).trim()}`);
  }
}
