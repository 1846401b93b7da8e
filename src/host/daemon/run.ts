import { rfc3339, systemClock } from '../../shared/clock.ts';
import { watchNotReady } from '../../shared/component/component.ts';
import type { ComponentManager } from '../../shared/component/component.ts';
import { settleAfterStart } from '../../shared/settle.ts';
import type { EventLog } from '../../shared/events/events.ts';
import { version } from '../../shared/version/version.ts';
import { cpuAndMemory } from '../process/process.ts';
import type { Supervisor, Usage } from '../process/process.ts';
import { serveLocally } from './status.ts';
import type { DaemonStatus } from './status.ts';
import type { Timeline } from './timeline.ts';
import type { DaemonOptions, RunOptions } from './types.ts';

/** For the service manager, which shows it. */
const allIsReady = 'the node is Ready';
const eventsInStatus = 20;

export interface RunParts extends DaemonOptions {
  readonly supervisor: Supervisor;
  readonly events: EventLog;
  readonly manager: ComponentManager;
  readonly times: Timeline;
  readonly asked: RunOptions;
  /** Ends it: the caller's, or a failure. */
  readonly signal: AbortSignal;
}

/** From the first component's start to the last one's end. */
export class Run {
  readonly #parts: RunParts;
  readonly #since = rfc3339(systemClock.now() - process.uptime() * 1000);
  #isStarted = false;

  constructor(parts: RunParts) {
    this.#parts = parts;
  }

  /** Resolves when nothing is left after `signal`. @throws what a component's start failed with */
  async untilEnd(): Promise<void> {
    const { manager, times, notifier, log, asked, signal, statusSocket } = this.#parts;
    const status = () => this.#status();
    const endStatus = await serveLocally(statusSocket, { status, others: asked.localRequests });
    const endWatch = watchNotReady(manager, log, { onChange: (names) => this.#notify(names) });
    try {
      await manager.start(signal);
      this.#isStarted = true;
      settleAfterStart();
      times.end();
      notifier.ready(allIsReady);
      log.info('ready', { tookMs: Math.round(process.uptime() * 1000) });
      asked.onReady(status());
      await aborted(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      times.end();
      notifier.stopping();
      await manager.stop();
      endWatch();
      endStatus();
    }
  }

  #notify(names: string): void {
    const { notifier, signal } = this.#parts;
    if (this.#isStarted && !signal.aborted) notifier.status(names === '' ? allIsReady : `not ready: ${names}`);
  }

  #status(): DaemonStatus {
    const { mode, paths, nodeName, manager, events, asked, signal } = this.#parts;
    return {
      mode,
      version,
      pid: process.pid,
      since: this.#since,
      dataDir: paths.dataDir,
      nodeName,
      isStarted: this.#isStarted,
      isReady: this.#isStarted && !signal.aborted && manager.notReady().length === 0,
      notes: [...(asked.notes?.() ?? [])],
      components: this.#components(),
      events: [...events.recent(eventsInStatus)],
    };
  }

  #components(): DaemonStatus['components'] {
    const { manager, supervisor, times } = this.#parts;
    const processes = new Map(supervisor.processes().map((one) => [one.name, one]));
    const usages = new Usages();
    return [...manager.conditions()].map(([name, condition]) => {
      const child = processes.get(name);
      const usage = usages.of(child?.pid);
      return {
        name,
        condition,
        pid: child?.pid,
        args: child === undefined ? undefined : [...child.args],
        restarts: child?.restarts ?? 0,
        since: child?.since,
        cpuSeconds: usage?.cpuSeconds,
        memoryBytes: usage?.pssBytes,
        anonymousBytes: usage?.anonymousBytes,
        ...times.of(name),
      };
    });
  }
}

/** Of each process once: where it has several parts, what it uses stands with the first of them. */
class Usages {
  readonly #told = new Set<number>();

  of(pid: number | undefined): Usage | undefined {
    if (pid === undefined || this.#told.has(pid)) return undefined;
    this.#told.add(pid);
    return cpuAndMemory(pid);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
