import type { Component, ComponentName, NotReady } from '../../shared/component/component.ts';
import type { EventLog } from '../../shared/events/events.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Paths } from '../../shared/paths.ts';
import type { Supervisor } from '../process/process.ts';
import type { Notifier } from '../service/service.ts';
import type { DaemonStatus, LocalRequests } from './status.ts';
import type { Progress } from './timeline.ts';

export interface DaemonOptions {
  readonly mode: DaemonStatus['mode'];
  readonly paths: Paths;
  readonly statusSocket: string;
  readonly log: Log;
  readonly nodeName: string | undefined;
  /** Told when it is ready and when it stops: the service manager, if there is one. */
  readonly notifier: Notifier;
}

export interface Daemon {
  readonly supervisor: Supervisor;
  readonly events: EventLog;
  /** What is not ready now: of this the status, its exit code and the node's conditions are made. */
  readonly notReady: () => readonly NotReady[];
  /** One component, when the start is over or on the way. */
  readonly restart: (name: ComponentName) => Promise<void>;
  /** Ends the run with `error`: for what no restart of a child can heal, such as a datastore that cannot write. */
  readonly fail: (error: unknown) => void;
  /**
   * Starts the components, says `onReady`, and keeps them until `signal`.
   * Resolves when nothing of them is left; rejects with the failure of a component that did not start or that is fatal.
   */
  run(components: readonly Component[], options: RunOptions): Promise<void>;
}

export interface RunOptions {
  readonly signal: AbortSignal;
  /** Called at each step, for a line on the terminal. */
  readonly onProgress: (progress: Progress) => void;
  readonly onReady: (status: DaemonStatus) => void;
  /** What the status says beside the components, in sentences. */
  readonly notes?: () => readonly string[];
  /** What this mode answers at the status socket beside the status. */
  readonly localRequests?: LocalRequests;
}
