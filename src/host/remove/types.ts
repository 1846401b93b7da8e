import type { MadeOf, Undone } from '../undo-log/undo-log.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Paths } from '../../shared/paths.ts';
import type { ServiceHost, ServiceManager } from '../service/service.ts';

export interface RemoveOptions {
  readonly paths: Paths;
  readonly host: ServiceHost;
  /** Of every kind: a box may have been installed on under another one. */
  readonly managers: readonly ServiceManager[];
  /** Where snapshots are kept, if not below the data dir. */
  readonly snapshotDir?: string;
  readonly log: Log;
  readonly parts: NodeParts;
  /** A line for the person who waits. */
  readonly print: (line: string) => void;
}

/** What a node's rooms take away themselves; each says what is left, and why. */
export interface NodeParts {
  endPods(pods: EndPodsOptions): Promise<{ readonly left: readonly string[]; readonly stayed: readonly string[] }>;
  removeNetwork(removal: NetworkRemoval): Promise<{ readonly left: readonly string[] }>;
  removeCgroups(): readonly string[];
  readonly restoreSysctl: (made: MadeOf<'sysctl'>) => Undone;
  /** Whether the kernel now lets neighbours of this box reach 127.0.0.0/8, where no rule keeps them out. */
  routesLocalnet(): boolean;
}

export interface EndPodsOptions {
  readonly paths: Paths;
  /** Folders below the kubelet's that another Kubernetes had filled before: their mounts stay. */
  readonly others?: readonly string[];
}

export interface NetworkRemoval {
  /** `route_localnet` could not be put back: what keeps neighbours out of 127.0.0.0/8 stays, too. */
  readonly keepLoopbackGuard?: boolean;
  /** Has the programs that made some of the rules, if the data dir is still there. */
  readonly binDir?: string;
}

/** What is left, in sentences. */
export interface Outcome {
  /** With good reason: it is not ours, or is to be kept. */
  readonly stayed: readonly string[];
  /** Should have gone and did not: running the command again tries it again. */
  readonly failed: readonly string[];
}
