/**
 * @module
 * Children: started, made ready, kept alive, ended with nothing left of them.
 * Knows: spawn, parent-death signal, cgroup, back-off, stopping, the child's lines, left-over children of an earlier life.
 * Leaves to others: what to run and when it is ready (the rooms), the order among children (component/).
 */
import type { Condition } from '../../shared/component/component.ts';

export interface ProcessSpec {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>; // complete
  readonly cwd?: string;
  /** Before each life of it. */
  readonly prepare?: () => void;
  readonly ready: (signal: AbortSignal) => Promise<void>; // retried; raced against an early exit
  /**
   * Asked as long as the child lives: resolves when it answers that it is well, rejects with what it says instead, or with the
   * system's error where nobody listens; `signal` ends the patience with one question. Without it the child counts as well
   * unless a signal has stopped it.
   */
  readonly live?: (signal: AbortSignal) => Promise<void>;
  readonly stopTimeoutMs: number; // SIGTERM, then SIGKILL to the group
  readonly backoff: { readonly minMs: number; readonly maxMs: number; readonly stableAfterMs: number };
  /** Root that gains nothing by a program's mode, unless said. */
  readonly securityContext?: SecurityContext;
}

/** As a container's: what the child may do at most. Where the host has no `setpriv` it is root's. */
export interface SecurityContext {
  /** Its only group too; without capabilities but those of `addCapabilities`. Root unless said. */
  readonly runAsUser?: number;
  /** As capabilities(7) spells them, in lower case and without `cap_`. */
  readonly addCapabilities?: readonly string[];
  /** False sets no_new_privs, which what it starts inherits for good: not for what starts containers. */
  readonly allowPrivilegeEscalation: boolean;
}

export interface Supervisor {
  /** Starts, keeps alive, logs each line. Rejects with the child's last lines if it is never ready. */
  supervise(name: string, spec: ProcessSpec, signal: AbortSignal): Promise<SupervisedProcess>;
  /** As `restart` of the child with this name. @returns false if there is none */
  restart(name: string): Promise<boolean>;
  /** Every child that is supervised now. */
  processes(): readonly ProcessStatus[];
}

export interface SupervisedProcess {
  status(): ProcessStatus;
  /** Ends this life and starts the next at once: for a changed certificate or configuration. */
  restart(): Promise<void>;
  /** Legal twice; resolves when the child's process group is gone. */
  stop(): Promise<void>;
}

/**
 * Of a child that was ready: `not-ready` answers and complains, `not-answering` is silent, `stopping` was told to end by
 * somebody or closes by itself.
 */
export type ProcessState =
  | 'starting'
  | 'ready'
  | 'not-ready'
  | 'not-answering'
  | 'stopping'
  | 'backing-off'
  | 'stopped';

export interface ProcessStatus {
  readonly name: string;
  readonly state: ProcessState;
  readonly condition: Condition;
  readonly pid: number | undefined;
  readonly restarts: number;
  /** RFC 3339: when the running process was started. */
  readonly since: string | undefined;
  /** The last lines it wrote before it ended the last time. */
  readonly lastExit: string | undefined;
}

export { createSupervisor } from './supervisor.ts';
export type { SupervisorOptions } from './supervised.ts';
export { processComponent } from './process-component.ts';
export { childLogs, type ChildLog } from './child-log.ts';
export { whyNotAsUser } from './privileges.ts';
export { childRegistry, endLeftOvers, processRun } from './children.ts';
export { childCgroups, removeCgroupTree, removeCgroups } from './cgroup.ts';
export { addTools, childEnvironment } from './environment.ts';
export { isAlive, processStat, type ProcessStat } from './stat.ts';
export { cpuAndMemory } from './usage.ts';
export { NeverReadyError } from './errors.ts';
