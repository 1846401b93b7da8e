import { setTimeout as delay } from 'node:timers/promises';
import { rfc3339, systemClock, type Clock } from '../clock.ts';
import type { EventLog } from '../events/events.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { ChildRegistry } from './children.ts';
import type { ChildLogs } from './child-log.ts';
import { NeverReadyError } from './errors.ts';
import type { ProcessSpec, ProcessStatus, SupervisedProcess, Supervisor } from './process.ts';
import { spawnChild, type Ending, type Life } from './spawn.ts';

export interface SupervisorOptions {
  readonly log: Log;
  readonly events: EventLog;
  readonly logs: ChildLogs;
  readonly registry: ChildRegistry;
  /** The cgroup folders of a child; none where cgroups cannot be made. */
  readonly cgroupsFor: (name: string) => readonly string[];
  readonly clock?: Clock;
}

const lastLinesKept = 12;
const firstStartAttempts = 3;

/**
 * One child: starting → ready → (ends) → backing-off → starting → … → stopped.
 * The back-off doubles from `minMs` to `maxMs` and starts anew after a life of `stableAfterMs`.
 */
class Supervised implements SupervisedProcess {
  readonly #name: string;
  readonly #spec: ProcessSpec;
  readonly #options: SupervisorOptions;
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  #state: ProcessStatus['state'] = 'starting';
  #life: Life | undefined;
  #restarts = 0;
  #since: string | undefined;
  #lastExit: string | undefined;
  #lastLines: string[] = [];
  #restartAsked = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(name: string, spec: ProcessSpec, options: SupervisorOptions) {
    this.#name = name;
    this.#spec = spec;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Resolves at the first readiness, then goes on keeping the child alive. */
  async start(signal: AbortSignal): Promise<void> {
    const cancelled = AbortSignal.any([signal, this.#stopping.signal]);
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#live(cancelled);
      if (outcome.ready) {
        this.#loop = this.#keepAlive(outcome.life);
        return;
      }
      cancelled.throwIfAborted();
      if (attempt === firstStartAttempts) {
        this.#state = 'stopped';
        throw new NeverReadyError(this.#name, `did not become ready (${outcome.ending})`, this.#lastLines);
      }
      await delay(this.#spec.backoff.minMs, undefined, { signal: cancelled });
    }
  }

  status(): ProcessStatus {
    return {
      name: this.#name,
      state: this.#state,
      pid: this.#life?.pid,
      restarts: this.#restarts,
      since: this.#since,
      lastExit: this.#lastExit,
    };
  }

  async restart(): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    this.#restartAsked = true;
    await this.#end(life);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#life !== undefined) await this.#end(this.#life);
    await this.#loop;
    this.#state = 'stopped';
  }

  async #keepAlive(first: Life): Promise<void> {
    const { signal } = this.#stopping;
    const { minMs, maxMs, stableAfterMs } = this.#spec.backoff;
    let waitMs = minMs;
    for (let life: Life | undefined = first; ;) {
      const bornMs = this.#clock.monotonicMs();
      if (life !== undefined) {
        const ending = await life.ended;
        this.#afterEnd(ending);
      }
      if (signal.aborted) return;
      if (this.#clock.monotonicMs() - bornMs >= stableAfterMs) waitMs = minMs;
      if (this.#restartAsked) this.#restartAsked = false;
      else {
        this.#state = 'backing-off';
        const message = `${this.#name} ended (${this.#lastExit ?? 'unknown'}); it starts again in ${waitMs} ms`;
        this.#options.events.record({ type: 'Warning', reason: 'Ended', regarding: this.#name, message });
        this.#options.log.warn('component ended', { component: this.#name, ending: this.#lastExit, waitMs });
        if (!(await waited(waitMs, signal))) return;
        waitMs = Math.min(waitMs * 2, maxMs);
      }
      this.#restarts += 1;
      const outcome = await this.#live(signal).catch((error: unknown) => ({
        ready: false,
        life: undefined,
        ending: messageOf(error),
      }));
      if (signal.aborted) return;
      life = outcome.ready ? outcome.life : undefined;
      if (outcome.ready) {
        this.#options.events.record({
          type: 'Normal',
          reason: 'Restarted',
          regarding: this.#name,
          message: `${this.#name} is ready again`,
        });
        this.#options.log.info('component ready again', { component: this.#name, restarts: this.#restarts });
      }
    }
  }

  /** One life up to its readiness or its end, whichever comes first. */
  async #live(signal: AbortSignal): Promise<{ ready: true; life: Life } | { ready: false; ending: Ending }> {
    signal.throwIfAborted();
    this.#state = 'starting';
    this.#lastLines = [];
    const file = this.#options.logs.open(this.#name);
    const life = await spawnChild(this.#spec, {
      cgroups: this.#options.cgroupsFor(this.#name),
      onLine: (line) => {
        file.line(line);
        this.#lastLines.push(line);
        if (this.#lastLines.length > lastLinesKept) this.#lastLines.shift();
      },
    });
    this.#life = life;
    this.#since = rfc3339(this.#clock.now());
    this.#options.registry.add(this.#name, life.pid);
    const over = new AbortController();
    const ready = retried(this.#spec.ready, AbortSignal.any([signal, over.signal]));
    try {
      const ending = await Promise.race([ready.then(() => undefined), life.ended]);
      if (ending === undefined) {
        this.#state = 'ready';
        return { ready: true, life };
      }
      this.#afterEnd(ending);
      return { ready: false, ending };
    } catch (error) {
      await this.#end(life);
      this.#afterEnd(await life.ended);
      throw error;
    } finally {
      over.abort();
      ready.catch(() => {}); // it lost the race
    }
  }

  #afterEnd(ending: Ending): void {
    if (this.#life !== undefined) this.#options.registry.remove(this.#life.pid);
    this.#life = undefined;
    this.#lastExit = this.#lastLines.length === 0 ? ending : `${ending}: ${this.#lastLines.at(-1)}`;
  }

  async #end(life: Life): Promise<void> {
    life.signal('SIGTERM');
    const tooLong = new AbortController();
    const killed = delay(this.#spec.stopTimeoutMs, undefined, { signal: tooLong.signal }).then(
      () => life.signal('SIGKILL'),
      () => {},
    );
    await life.ended;
    tooLong.abort();
    await killed;
    life.signal('SIGKILL'); // what the child left in its group
  }
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const all = new Map<string, Supervised>();
  return {
    async supervise(name, spec, signal) {
      const supervised = new Supervised(name, spec, options);
      all.set(name, supervised);
      await supervised.start(signal);
      return supervised;
    },
    async restart(name) {
      const supervised = all.get(name);
      await supervised?.restart();
      return supervised !== undefined;
    },
    processes: () => [...all.values()].map((supervised) => supervised.status()),
  };
}

/** Calls `ready` until it resolves: at first often, since most children are up in a moment. */
async function retried(ready: ProcessSpec['ready'], signal: AbortSignal): Promise<void> {
  for (let waitMs = 20; ; waitMs = Math.min(waitMs * 1.5, 250)) {
    signal.throwIfAborted();
    try {
      return await ready(signal);
    } catch {
      await delay(waitMs, undefined, { signal });
    }
  }
}

/** False if `signal` came first. */
async function waited(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(ms, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}
