/**
 * @module
 * Taking kagent off a box: its processes and pods (`kagent killall`), then also its files and settings (`kagent uninstall`).
 * Knows: the order of it, which files are kagent's, mounts that are never descended into.
 * Leaves to others: how pods end (runtime/), links and rules (network/), kernel settings (host/), units (shared/service).
 */
import type { MadeOf, Undone } from '../../shared/journal/journal.ts';
import type { Log } from '../../shared/log/log.ts';
import type { NetworkRemoval } from '../network/network.ts';
import type { Paths } from '../../shared/paths.ts';
import type { EndPodsOptions, PodsEnded } from '../runtime/runtime.ts';
import type { ServiceHost, ServiceManager } from '../../shared/service/service.ts';

export interface RemoveOptions {
  readonly paths: Paths;
  readonly host: ServiceHost;
  /** Of every kind: a box may have been installed on under another one. */
  readonly managers: readonly ServiceManager[];
  /** Where snapshots are kept, if not below the data dir. */
  readonly snapshotDir?: string;
  readonly log: Log;
  /** What is the whole box's, and not below a root of a test's own. */
  readonly parts?: BoxParts;
  /** A line for the person who waits. */
  readonly print: (line: string) => void;
}

/** Each says what stayed, and why. */
export interface BoxParts {
  endPods(pods: EndPodsOptions): Promise<Pick<PodsEnded, 'left' | 'stayed'>>;
  removeNetwork(removal: NetworkRemoval): Promise<{ readonly left: readonly string[] }>;
  removeCgroups(): readonly string[];
  readonly restoreSysctl: (made: MadeOf<'sysctl'>) => Undone;
  /** Whether the kernel now lets neighbours of this box reach 127.0.0.0/8, where no rule keeps them out. */
  routesLocalnet(): boolean;
}

/** What is left, in sentences. */
export interface Outcome {
  /** With good reason: it is not ours, or is to be kept. */
  readonly stayed: readonly string[];
  /** Should have gone and did not: running the command again tries it again. */
  readonly failed: readonly string[];
}

export { runStop } from './stop.ts';
export { runKillall } from './killall.ts';
export { runUninstall, type UninstallOptions } from './uninstall.ts';
export { claimFolders } from './claim.ts';
