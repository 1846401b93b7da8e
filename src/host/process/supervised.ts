import { setTimeout as delay } from 'node:timers/promises';
import { rfc3339, systemClock } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import { conditionTracker } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import { NeverReadyError } from './errors.ts';
import { untilHung, usualTiming, waited } from './liveness.ts';
import type { Said, Watched } from './liveness.ts';
import { Patience } from './patience.ts';
import { spawnChild } from './spawn.ts';
import type { Ending, Life } from './spawn.ts';
import type { ProcessSpec, ProcessState, ProcessStatus, SupervisedProcess, SupervisorOptions } from './types.ts';

const lastLinesKept = 12;
const firstStartAttempts = 3;
/** A hung Go program writes the stacks of all its goroutines at SIGQUIT, and ends. */
const hung = { signal: 'SIGQUIT', withinMs: 1500 } as const;
/** The kernel keeps a killed process that waits for a disk. */
const killedWithinMs = 10_000;

const reasons: Readonly<Record<ProcessState, string>> = {
  starting: 'Starting',
  ready: 'Ready',
  'not-ready': 'NotReady',
  'not-answering': 'NotAnswering',
  stopping: 'Stopping',
  'backing-off': 'BackingOff',
  stopped: 'Stopped',
};

type Outcome = { readonly ready: true; readonly life: Life } | { readonly ready: false; readonly ending: Ending };

/**
 * One child: starting → ready → (ends, or hangs and is ended) → backing-off → starting → … → stopped.
 * The back-off doubles from `minMs` to `maxMs` and starts anew after a life of `stableAfterMs`.
 */
export class Supervised implements SupervisedProcess {
  readonly #name: string;
  readonly #spec: ProcessSpec;
  readonly #options: SupervisorOptions;
  readonly #clock: Clock;
  readonly #condition;
  readonly #patience: Patience;
  readonly #stopping = new AbortController();
  #watch = new AbortController();
  #state: ProcessState = 'starting';
  #life: Life | undefined;
  #restarts = 0;
  #since: string | undefined;
  #lastExit: string | undefined;
  #lastLines: string[] = [];
  #endedBecause: string | undefined;
  #restartAsked = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(name: string, spec: ProcessSpec, options: SupervisorOptions) {
    this.#name = name;
    this.#spec = spec;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#condition = conditionTracker(this.#clock);
    this.#patience = new Patience(options.liveness ?? usualTiming, this.#clock);
  }

  /** Resolves at the first readiness, then keeps the child alive. */
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
        this.#become('stopped', outcome.ending);
        throw new NeverReadyError(this.#name, `did not become ready (${outcome.ending})`, this.#lastLines);
      }
      await delay(this.#spec.backoff.minMs, undefined, { signal: cancelled });
    }
  }

  status(): ProcessStatus {
    return {
      name: this.#name,
      state: this.#state,
      condition: this.#condition.current(),
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
    const isOver = this.#life === undefined || (await this.#end(this.#life));
    if (!isOver) return; // it is on record, for the next start to end
    await this.#loop;
    this.#become('stopped');
  }

  async #keepAlive(first: Life): Promise<void> {
    const { signal } = this.#stopping;
    const { minMs, maxMs, stableAfterMs } = this.#spec.backoff;
    let waitMs = minMs;
    for (let life: Life | undefined = first; ;) {
      const bornMs = this.#clock.monotonicMs();
      if (life !== undefined) this.#afterEnd(await this.#lived(life));
      if (signal.aborted) return;
      if (this.#clock.monotonicMs() - bornMs >= stableAfterMs) waitMs = minMs;
      if (this.#restartAsked) this.#restartAsked = false;
      else {
        this.#become('backing-off', this.#lastExit);
        const message = `${this.#name} ended (${this.#lastExit ?? 'unknown'}); it starts again in ${waitMs} ms`;
        this.#record('Warning', 'Ended', message);
        this.#options.log.warn('component ended', { component: this.#name, ending: this.#lastExit, waitMs });
        if (!(await waited(waitMs, signal))) return;
        waitMs = Math.min(waitMs * 2, maxMs);
      }
      this.#restarts += 1;
      const outcome: Outcome = await this.#live(signal).catch((error: unknown) => ({
        ready: false,
        ending: messageOf(error),
      }));
      if (signal.aborted) return;
      life = outcome.ready ? outcome.life : undefined;
      if (!outcome.ready) continue;
      this.#record('Normal', 'Restarted', `${this.#name} is ready again`);
      this.#options.log.info('component ready again', { component: this.#name, restarts: this.#restarts });
    }
  }

  /** One life up to its readiness or its end, whichever comes first. */
  async #live(signal: AbortSignal): Promise<Outcome> {
    signal.throwIfAborted();
    this.#become('starting');
    this.#lastLines = [];
    const file = this.#options.logs.open(this.#name);
    this.#spec.prepare?.();
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
    const starting = AbortSignal.any([signal, over.signal]);
    let stopped = '';
    const ready = retried(this.#spec.ready, starting, (reason) =>
      this.#become('starting', `${stopped || `it is not ready (${reason})`}; its log: ${file.path}`),
    );
    // Of a child that is not ready yet only this is known to be wrong: a signal has stopped it.
    void this.#endWhenHung(life, { live: undefined, onSaid: ({ message }) => (stopped = message) }, starting);
    try {
      const ending = await Promise.race([ready.then(() => undefined), life.ended]);
      if (ending === undefined) {
        this.#become('ready');
        return { ready: true, life };
      }
      const because = this.#endedBecause ?? ending;
      this.#afterEnd(ending);
      return { ready: false, ending: because };
    } catch (error) {
      await this.#end(life);
      this.#afterEnd(await life.ended);
      throw error;
    } finally {
      over.abort();
      ready.catch(() => {}); // it lost the race
    }
  }

  /** The rest of a life that was ready. */
  async #lived(life: Life): Promise<Ending> {
    this.#watch = new AbortController();
    const watch = AbortSignal.any([this.#watch.signal, this.#stopping.signal]);
    void this.#endWhenHung(life, { live: this.#spec.live, onSaid: (said) => this.#hear(said) }, watch);
    const ending = await life.ended;
    this.#watch.abort();
    return ending;
  }

  async #endWhenHung(life: Life, asked: Pick<Watched, 'live' | 'onSaid'>, signal: AbortSignal): Promise<void> {
    const watched = {
      ...asked,
      pid: life.pid,
      closesWithinMs: this.#spec.stopTimeoutMs,
      timing: this.#patience.timing(),
      clock: this.#clock,
    };
    const reason = await untilHung(watched, signal);
    if (reason === undefined || this.#life !== life) return;
    this.#patience.used();
    this.#endedBecause = `kagent has ended it: ${reason}`;
    this.#options.log.warn('a hung component is stopped', { component: this.#name, pid: life.pid, reason });
    await this.#end(life, hung);
  }

  /** Of a child that was ready. */
  #hear({ state, message }: Said): void {
    const before = this.#state;
    this.#become(state, message);
    if (state === before) return;
    this.#options.log.info('component state', { component: this.#name, state, message });
    if (state === 'ready') this.#record('Normal', 'Answers', `${this.#name} is healthy again`);
    else this.#record('Warning', reasons[state], `${this.#name}: ${message}`);
  }

  #afterEnd(ending: Ending): void {
    if (this.#life !== undefined) this.#options.registry.remove(this.#life.pid);
    this.#life = undefined;
    const said = this.#lastLines.length === 0 ? ending : `${ending}: ${this.#lastLines.at(-1)}`;
    this.#lastExit = this.#endedBecause ?? said;
    this.#endedBecause = undefined;
  }

  /** @returns whether it has ended */
  async #end(life: Life, { signal, withinMs }: Ended = { signal: 'SIGTERM', withinMs: this.#spec.stopTimeoutMs }) {
    this.#watch.abort();
    this.#become('stopping', this.#endedBecause ?? 'kagent ends it');
    life.signal(signal);
    if (!(await endsWithin(life, withinMs))) life.signal('SIGKILL');
    const isOver = await endsWithin(life, killedWithinMs);
    life.signal('SIGKILL'); // what the child left in its group
    if (isOver) return true;
    const message = `pid ${life.pid} was killed and is still there: it waits for a disk or a mount that does not answer`;
    this.#become('stopping', message);
    this.#options.log.error('component does not stop', { component: this.#name, message });
    return false;
  }

  #become(state: ProcessState, message = ''): void {
    this.#state = state;
    this.#condition.set(state === 'ready' ? 'True' : 'False', reasons[state], message);
  }

  #record(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#options.events.record({ type, reason, regarding: this.#name, message });
  }
}

interface Ended {
  readonly signal: NodeJS.Signals;
  readonly withinMs: number;
}

async function endsWithin(life: Life, ms: number): Promise<boolean> {
  const over = new AbortController();
  const tooLate = waited(ms, over.signal).then(() => false);
  try {
    return await Promise.race([life.ended.then(() => true), tooLate]);
  } finally {
    over.abort();
  }
}

/** Calls `ready` until it resolves: at first often, since most children are up in a moment. */
async function retried(
  ready: ProcessSpec['ready'],
  signal: AbortSignal,
  onFailure: (reason: string) => void,
): Promise<void> {
  for (let waitMs = 20; ; waitMs = Math.min(waitMs * 1.5, 250)) {
    signal.throwIfAborted();
    try {
      return await ready(signal);
    } catch (error) {
      signal.throwIfAborted();
      onFailure(messageOf(error));
      await delay(waitMs, undefined, { signal });
    }
  }
}
