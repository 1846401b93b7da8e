/**
 * @module
 * The life of a kagent process: lock, left-over children, components in order, the status socket, the last signal.
 * Knows: what every mode needs around its components. Leaves to others: which components (server/, agent/).
 *
 *   opened ──run──▶ starting ──all ready──▶ ready ──signal──▶ stopping ──▶ gone
 *                      └──a component fails──▶ stopping ──▶ gone, with its error
 */
import { systemClock } from '../../shared/clock.ts';
import { createComponentManager, heldUpBy } from '../../shared/component/component.ts';
import type { Component, ComponentManager } from '../../shared/component/component.ts';
import { createEventLog } from '../../shared/events/events.ts';
import { childCgroups, childLogs, childRegistry, createSupervisor, endLeftOvers } from '../process/process.ts';
import { serviceNameOf } from '../service/service.ts';
import { DataDirInUseError, lockDataDir } from './lock.ts';
import { Run } from './run.ts';
import { askStatus } from './status.ts';
import { timeline } from './timeline.ts';
import type { Timeline } from './timeline.ts';
import type { DaemonOptions, Daemon, RunOptions } from './types.ts';

const childLogMaxBytes = 10 * 1024 * 1024;
const eventsKept = 200;

/** @throws {DataDirInUseError} @throws {NewerDataDirError} */
export async function openDaemon(options: DaemonOptions): Promise<Daemon> {
  const { paths, log } = options;
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
  const failure = new AbortController();
  let running: ComponentManager | undefined;
  const notReady = () => running?.notReady() ?? [];
  return {
    supervisor,
    events,
    notReady,
    restart: async (name) => running?.restart(name),
    fail: (error) => failure.abort(error),
    async run(components, asked) {
      const times = timelineOf(components, asked, notReady);
      const manager = createComponentManager(components, {
        starting: (name) => times.starting(name),
        ready(name) {
          times.ready(name);
          log.info('component ready', { component: name, tookMs: times.tookMs(name) });
        },
      });
      running = manager;
      const signal = AbortSignal.any([asked.signal, failure.signal]);
      try {
        await new Run({ ...options, supervisor, events, manager, times, asked, signal }).untilEnd();
      } finally {
        logs.close();
        release();
      }
      if (failure.signal.aborted) throw failure.signal.reason;
      log.info('stopped');
    },
  };
}

function timelineOf(components: readonly Component[], asked: RunOptions, notReady: Daemon['notReady']): Timeline {
  return timeline(
    components.map((component) => component.name),
    asked.onProgress,
    () => heldUpBy(notReady(), systemClock.now()),
  );
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

export type { DaemonOptions, Daemon, RunOptions } from './types.ts';
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
