/**
 * @module
 * The life of a kagent process: lock, left-over children, components in order, the status socket, the last signal.
 * Knows: what every mode needs around its components. Leaves to others: which components (server/, agent/).
 *
 *   opened ──run──▶ starting ──all ready──▶ ready ──signal──▶ stopping ──▶ gone
 *                      └──a component fails──▶ stopping ──▶ gone, with its error
 */
import { rfc3339, systemClock } from '../../shared/clock.ts';
import {
  createComponentManager,
  heldUpBy,
  watchNotReady,
  type Component,
  type ComponentManager,
  type ComponentName,
  type NotReady,
} from '../../shared/component/component.ts';
import { createEventLog, type EventLog } from '../../shared/events/events.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Paths } from '../../shared/paths.ts';
import {
  childCgroups,
  childLogs,
  childRegistry,
  cpuAndMemory,
  createSupervisor,
  endLeftOvers,
  type Supervisor,
} from '../process/process.ts';
import { settleAfterStart } from '../../shared/settle.ts';
import { serviceNameOf, type Notifier } from '../service/service.ts';
import { version } from '../../shared/version/version.ts';
import { DataDirInUseError, lockDataDir } from './lock.ts';
import { askStatus, serveLocally, type DaemonStatus, type LocalRequests } from './status.ts';
import { timeline, type Progress } from './timeline.ts';

const childLogMaxBytes = 10 * 1024 * 1024;
const eventsKept = 200;
/** For the service manager, which shows it. */
const allIsReady = 'the node is Ready';

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

/** @throws {DataDirInUseError} @throws {NewerDataDirError} */
export async function openDaemon(options: DaemonOptions): Promise<Daemon> {
  const { mode, paths, log, nodeName, notifier } = options;
  const release = lockDataDir(paths);
  try {
    await refuseBesideEarlier(options);
  } catch (error) {
    release();
    throw error;
  }
  const events = createEventLog({ keep: eventsKept });
  await endLeftOvers(paths.children, log);
  const logs = childLogs(paths.logs, {
    maxBytes: childLogMaxBytes,
    onProblem: (path, error) => log.warn("a component's log is not written", { path, error }),
  });
  const supervisor = createSupervisor({
    log,
    events,
    logs,
    registry: childRegistry(paths.children, log),
    cgroupsFor: (name) => childCgroups(name, { serviceName: serviceNameOf(process.env) }),
  });
  const since = rfc3339(systemClock.now() - process.uptime() * 1000);

  const failure = new AbortController();
  let running: ComponentManager | undefined;
  const notReady = () => running?.notReady() ?? [];

  const run = async (components: readonly Component[], asked: RunOptions): Promise<void> => {
    const { onProgress, onReady } = asked;
    const signal = AbortSignal.any([asked.signal, failure.signal]);
    const times = timeline(
      components.map((component) => component.name),
      onProgress,
      () => heldUpBy(notReady(), systemClock.now()),
    );
    const manager = createComponentManager(components, {
      starting: (name) => times.starting(name),
      ready(name) {
        times.ready(name);
        log.info('component ready', { component: name, tookMs: times.tookMs(name) });
      },
    });
    running = manager;
    let isStarted = false;
    const status = (): DaemonStatus => {
      const processes = new Map(supervisor.processes().map((one) => [one.name, one]));
      return {
        mode,
        version,
        pid: process.pid,
        since,
        dataDir: paths.dataDir,
        nodeName,
        isStarted,
        isReady: isStarted && !signal.aborted && notReady().length === 0,
        notes: [...(asked.notes?.() ?? [])],
        components: [...manager.conditions()].map(([name, condition]) => {
          const child = processes.get(name);
          const usage = child?.pid === undefined ? undefined : cpuAndMemory(child.pid);
          return {
            name,
            condition,
            pid: child?.pid,
            restarts: child?.restarts ?? 0,
            since: child?.since,
            cpuSeconds: usage?.cpuSeconds,
            memoryBytes: usage?.pssBytes,
            anonymousBytes: usage?.anonymousBytes,
            ...times.of(name),
          };
        }),
        events: [...events.recent(20)],
      };
    };
    const endStatus = await serveLocally(options.statusSocket, { status, others: asked.localRequests });
    const onChange = (names: string) => {
      if (isStarted && !signal.aborted) notifier.status(names === '' ? allIsReady : `not ready: ${names}`);
    };
    const endWatch = watchNotReady(manager, log, { onChange });
    try {
      await manager.start(signal);
      isStarted = true;
      settleAfterStart();
      times.end();
      notifier.ready(allIsReady);
      log.info('ready', { tookMs: Math.round(process.uptime() * 1000) });
      onReady(status());
      await aborted(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      times.end();
      notifier.stopping();
      await manager.stop();
      endWatch();
      endStatus();
      logs.close();
      release();
    }
    if (failure.signal.aborted) throw failure.signal.reason;
    log.info('stopped');
  };
  const restart = async (name: ComponentName) => running?.restart(name);
  return { supervisor, events, notReady, restart, fail: (error) => failure.abort(error), run };
}

/**
 * A kagent of before the lock was a file has another lock; its children would be taken for left-over ones.
 * @throws {DataDirInUseError}
 */
async function refuseBesideEarlier({ paths, statusSocket }: DaemonOptions): Promise<void> {
  const running = await askStatus(statusSocket).catch(() => undefined); // nobody answers: the usual case
  if (running === undefined || running.pid === process.pid || running.dataDir !== paths.dataDir) return;
  throw new DataDirInUseError(paths.dataDir, running.pid);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

export {
  askServer,
  askStatus,
  hasStarted,
  isAllReady,
  LocalRefusedError,
  NoAnswerError,
  NotRunningError,
  NotServerError,
  type DaemonStatus,
  type LocalRequests,
} from './status.ts';
export { DataDirInUseError, NewerDataDirError } from './lock.ts';
export type { Progress } from './timeline.ts';
