import { accessSync, constants, existsSync, mkdirSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rfc3339, systemClock, type Clock } from '../../shared/clock.ts';
import { messageOf, systemCode } from '../../shared/errors.ts';
import { hasMemoryCgroup } from './cgroup.ts';
import {
  ClockBehindError,
  DataDirNotWritableError,
  DiskFullError,
  KernelFeatureMissingError,
  MemoryCgroupMissingError,
  NotRootError,
} from './errors.ts';
import type { HostProblem } from './host.ts';
import { featuresFor, featureState, kernelFiles, loadModule, type FlannelBackend } from './kernel.ts';
import { portProblems, type PortNeed } from './ports.ts';
import { hostRoot, type HostRoot } from './root.ts';

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

/** Everything that would make a start fail later with worse words. Without root nothing else can be said. */
export async function checkHost(needs: HostNeeds): Promise<readonly HostProblem[]> {
  const { root = hostRoot(), clock = systemClock, uid = process.getuid?.() ?? 0 } = needs;
  if (uid !== 0) return [new NotRootError(uid)];
  const problems: HostProblem[] = [
    ...clockProblems(needs.builtAt, clock),
    ...dataDirProblems(needs.dataDir, needs.minFreeMiB ?? defaultMinFreeMiB),
    ...portProblems(needs.ports, root),
  ];
  const { flannelBackend } = needs;
  if (flannelBackend === undefined) return problems;
  if (!hasMemoryCgroup(root)) problems.push(new MemoryCgroupMissingError());
  problems.push(...(await kernelProblems(flannelBackend, root)));
  return problems;
}

function clockProblems(builtAt: string, clock: Clock): readonly HostProblem[] {
  const now = clock.now();
  return now < Date.parse(builtAt) ? [new ClockBehindError(rfc3339(now), builtAt)] : [];
}

function dataDirProblems(dataDir: string, minFreeMiB: number): readonly HostProblem[] {
  const probe = join(dataDir, `.write-check.${process.pid}`);
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    writeFileSync(probe, 'x');
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
  let existing = dataDir;
  while (!existsSync(existing)) existing = dirname(existing);
  try {
    accessSync(existing, constants.W_OK);
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
