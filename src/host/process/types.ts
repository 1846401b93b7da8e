import type { Condition } from '../../shared/component/component.ts';
import type { Clock } from '../../shared/clock.ts';
import type { EventLog } from '../../shared/events/events.ts';
import type { Log } from '../../shared/log/log.ts';
import type { ChildLogs } from './child-log.ts';
import type { ChildRegistry } from './children.ts';
import type { LivenessTiming } from './liveness.ts';

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
  /** It is no process of its own, but a part of this one. */
  readonly partOf?: PartOf;
}

/** Several programs in one executable, which can run in one process: the one that the others need comes first. */
export interface SharedProcessSpec {
  /** Of its executable, beside each part's own; of its log and its cgroup. */
  readonly name: string;
  readonly parts: readonly string[];
}

export interface PartOf {
  readonly process: SharedProcessSpec;
  /** Parts that are ready first, whenever the process starts. */
  readonly after: readonly string[];
}

/** One run of a child, from its start to its end. */
export interface Life {
  readonly pid: number;
  readonly ended: Promise<Ending>;
  /** To the whole process group. */
  signal(signal: NodeJS.Signals): void;
  /** As SIGTERM does to a process of its own; a part's process ends with the last of its parts. */
  stop(): void;
  /** Others that wait for it may start. */
  tellReady(): void;
  /** Why the process is about to be ended. @returns false if it is ended already, because of another part */
  blame(reason: Blame): boolean;
}

export interface Blame {
  readonly text: string;
  /** Somebody wants it to start anew. */
  readonly isAsked: boolean;
}

export interface Ending {
  /** `exit code 1`, `signal SIGKILL`; of a part: why its process ended. */
  readonly text: string;
  /** False of a part that others have taken along: they, or their process, have told of it. */
  readonly isItsOwn: boolean;
  readonly isAsked: boolean;
}

export interface Launched {
  readonly name: string;
  readonly spec: ProcessSpec;
  readonly onLine: (line: string) => void;
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
  /** What it was told; a part's are not in the command line of its process. */
  readonly args: readonly string[];
  readonly state: ProcessState;
  readonly condition: Condition;
  readonly pid: number | undefined;
  readonly restarts: number;
  /** RFC 3339: when the running process was started. */
  readonly since: string | undefined;
  /** The last lines it wrote before it ended the last time. */
  readonly lastExit: string | undefined;
}

export interface SupervisorOptions {
  readonly log: Log;
  readonly events: EventLog;
  readonly logs: ChildLogs;
  readonly registry: ChildRegistry;
  /** The cgroup folders of a child; none where cgroups cannot be made. */
  readonly cgroupsFor: (name: string) => readonly string[];
  readonly clock?: Clock;
  readonly liveness?: LivenessTiming;
}
