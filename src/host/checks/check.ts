import { accessSync, constants, existsSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rfc3339, systemClock } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import { messageOf, systemCode } from '../../shared/errors.ts';
import { existingPart, makeFolder, realPath, temporaryBeside } from '../../shared/files/files.ts';
import { mountOf, parseMounts } from '../mounts/mounts.ts';
import type { Mount } from '../mounts/mounts.ts';
import { hasMemoryCgroup } from './cgroup.ts';
import { hasCapability } from './capability.ts';
import {
  CapabilityMissingError,
  ClockBehindError,
  DataDirNoExecError,
  DataDirNotWritableError,
  DiskFullError,
  KernelFeatureMissingError,
  MemoryCgroupMissingError,
  NotRootError,
} from './errors.ts';
import type { HostProblem } from './types.ts';
import { featuresFor, featureState, kernelFiles, loadModule } from './kernel.ts';
import type { FlannelBackend } from './kernel.ts';
import { portProblems } from './ports.ts';
import type { PortNeed } from './ports.ts';
import { hostRoot } from './root.ts';
import type { HostRoot } from './root.ts';

export interface HostNeeds {
  readonly dataDir: string;
  readonly ports: readonly PortNeed[];
  /** RFC 3339: when this kagent was built. */
  readonly builtAt: string;
  /** undefined: no agent on this box, so containers and their network are not needed. */
  readonly flannelBackend: FlannelBackend | undefined;
  readonly minFreeMiB?: number;
  readonly root?: HostRoot;
  readonly clock?: Clock;
  readonly uid?: number;
}

const defaultMinFreeMiB = 256;

type Looked = readonly HostProblem[] | Promise<readonly HostProblem[]>;

/** One thing without which a node cannot start. The doctor shows each as a check of its own. */
export interface HostCheck {
  /** A server that runs no node of its own needs it too. */
  readonly always: boolean;
  look(needs: HostNeeds): Looked;
}

/** By the name the doctor shows; root comes first, since without it nothing else can be said. */
export const hostChecks = {
  root: { always: true, look: ({ uid = process.getuid?.() ?? 0 }) => (uid === 0 ? [] : [new NotRootError(uid)]) },
  clock: { always: true, look: ({ builtAt, clock = systemClock }) => clockProblems(builtAt, clock) },
  'data-dir': {
    always: true,
    look: ({ dataDir, minFreeMiB = defaultMinFreeMiB }) => dataDirProblems(dataDir, minFreeMiB),
  },
  'data-dir-noexec': { always: true, look: ({ dataDir, root = hostRoot() }) => noExecProblems(dataDir, root) },
  ports: { always: true, look: ({ ports, root = hostRoot() }) => portProblems(ports, root) },
  capabilities: { always: false, look: ({ root = hostRoot() }) => capabilityProblems(root) },
  'cgroup-memory': {
    always: false,
    look: ({ root = hostRoot() }) => (hasMemoryCgroup(root) ? [] : [new MemoryCgroupMissingError()]),
  },
  'kernel-features': {
    always: false,
    look: ({ flannelBackend = 'none', root = hostRoot() }) => kernelProblems(flannelBackend, root),
  },
} as const satisfies Readonly<Record<string, HostCheck>>;

/** Everything that would make a start fail later with worse words. */
export async function checkHost(needs: HostNeeds): Promise<readonly HostProblem[]> {
  const unprivileged = hostChecks.root.look(needs);
  if (unprivileged.length > 0) return unprivileged;
  const checks: readonly HostCheck[] = Object.values(hostChecks);
  const wanted = checks.filter(({ always }) => always || needs.flannelBackend !== undefined);
  return (await Promise.all(wanted.map(async (check) => await check.look(needs)))).flat();
}

/** What containers cannot be made without, by its bit in the capability sets. */
const neededCapabilities = { CAP_NET_ADMIN: 12, CAP_SYS_CHROOT: 18, CAP_SYS_ADMIN: 21 } as const;

function capabilityProblems(root: HostRoot): readonly HostProblem[] {
  const status = root.read('/proc/self/status');
  if (status === undefined) return [];
  const missing = Object.entries(neededCapabilities).filter(([, bit]) => !hasCapability(status, bit));
  return missing.length === 0 ? [] : [new CapabilityMissingError(missing.map(([name]) => name))];
}

function noExecProblems(dataDir: string, root: HostRoot): readonly HostProblem[] {
  const mount = mountUnder(dataDir, root);
  return mount?.options.includes('noexec') === true ? [new DataDirNoExecError(dataDir, mount.point)] : [];
}

/** What a folder, which may be a link to another disk and need not be there yet, is on. */
export function mountUnder(folder: string, root: HostRoot): Mount | undefined {
  return mountOf(realNameOf(folder), parseMounts(root.read('/proc/self/mountinfo') ?? ''));
}

/** A path through something that is no folder stays as it is: that is said by the check of the data dir. */
function realNameOf(path: string): string {
  try {
    return realPath(path);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return path;
  }
}

function clockProblems(builtAt: string, clock: Clock): readonly HostProblem[] {
  const now = clock.now();
  return now < Date.parse(builtAt) ? [new ClockBehindError(rfc3339(now), builtAt)] : [];
}

function dataDirProblems(dataDir: string, minFreeMiB: number): readonly HostProblem[] {
  const probe = temporaryBeside(join(dataDir, '.write-check'));
  try {
    makeFolder(dataDir, 0o700);
    writeFileSync(probe, 'x', { flag: 'wx' });
    unlinkSync(probe);
  } catch (error) {
    if (systemCode(error) === 'ENOSPC') return [new DiskFullError(dataDir, freeMiB(dataDir), minFreeMiB)];
    return [new DataDirNotWritableError(dataDir, reasonOf(parentProblem(dataDir) ?? error), { cause: error })];
  }
  const free = freeMiB(dataDir);
  return free < minFreeMiB ? [new DiskFullError(dataDir, free, minFreeMiB)] : [];
}

/** Making folders below one that is read-only fails with ENOENT in Node; the folder itself says why. */
function parentProblem(dataDir: string): unknown {
  try {
    accessSync(existingPart(dataDir), constants.W_OK);
    return undefined;
  } catch (error) {
    return error;
  }
}

function freeMiB(dir: string): number {
  const existing = existsSync(dir) ? dir : dirname(dir);
  const { bavail, bsize } = statfsSync(existing);
  return Math.floor((bavail * bsize) / 2 ** 20);
}

function reasonOf(error: unknown): string {
  return reasons[systemCode(error) ?? ''] ?? messageOf(error);
}

const reasons: Readonly<Record<string, string>> = {
  EROFS: 'its filesystem is read-only',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOTDIR: 'a part of the path is not a folder',
  EEXIST: 'a part of the path is not a folder',
};

/** What this kernel lacks for the pods' network. */
export async function kernelProblems(
  backend: FlannelBackend,
  root: HostRoot = hostRoot(),
): Promise<readonly HostProblem[]> {
  const files = kernelFiles(root);
  const found = await Promise.all(
    featuresFor(backend).map(async (feature) => {
      const state = featureState(feature, root, files);
      if (state !== 'missing' || (await loadModule(feature.module))) return [];
      return [new KernelFeatureMissingError(feature.name, feature.module, files.release)];
    }),
  );
  return found.flat();
}
