import { setTimeout as delay } from 'node:timers/promises';
import { rfc3339, systemClock } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import { conditionTracker } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import { NeverReadyError } from './errors.ts';
import { untilHung, usualTiming, waited } from './liveness.ts';
import type { Said, Watched } from './liveness.ts';
import { Patience } from './patience.ts';
import { endsWithin, retried } from './waits.ts';
import type { Launcher } from './launch.ts';
import type {
  Ending,
  Life,
  ProcessSpec,
  ProcessState,
  ProcessStatus,
  SupervisedProcess,
  SupervisorOptions,
} from './types.ts';

const lastLinesKept = 12;
const firstStartAttempts = 3;
/** Of a part that others of its process take along: each of them has its own attempts. */
const othersAttempts = 10;
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

type Outcome = { readonly ready: true; readonly life: Life } | { readonly ready: false; readonly ending: string };

/**
 * One child: starting → ready → (ends, or hangs and is ended) → backing-off → starting → … → stopped.
 * The back-off doubles from `minMs` to `maxMs` and starts anew after a life of `stableAfterMs`.
 */
export class Supervised implements SupervisedProcess {
  readonly #name: string;
  readonly #spec: ProcessSpec;
  readonly #options: SupervisorOptions;
  readonly #launcher: Launcher;
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
  #lastEnding: Ending | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(name: string, spec: ProcessSpec, options: SupervisorOptions, launcher: Launcher) {
    this.#name = name;
    this.#spec = spec;
    this.#options = options;
    this.#launcher = launcher;
    this.#clock = options.clock ?? systemClock;
    this.#condition = conditionTracker(this.#clock);
    this.#patience = new Patience(options.liveness ?? usualTiming, this.#clock);
  }

  /** Resolves at the first readiness, then keeps the child alive. */
  async start(signal: AbortSignal): Promise<void> {
    const cancelled = AbortSignal.any([signal, this.#stopping.signal]);
    for (let attempts = 1, others = 1; ;) {
      const outcome = await this.#live(cancelled);
      if (outcome.ready) {
        this.#loop = this.#keepAlive(outcome.life);
        return;
      }
      cancelled.throwIfAborted();
      if (this.#lastEnding?.isItsOwn === false ? others++ === othersAttempts : attempts++ === firstStartAttempts) {
        this.#become('stopped', outcome.ending);
        throw new NeverReadyError(this.#name, `did not become ready (${outcome.ending})`, this.#lastLines);
      }
      await delay(this.#spec.backoff.minMs, undefined, { signal: cancelled });
    }
  }

  status(): ProcessStatus {
    return {
      name: this.#name,
      args: this.#spec.args,
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
    life.blame({ text: 'kagent starts it anew', isAsked: true });
    await this.#end(life, { signal: 'SIGTERM' });
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
      if (this.#lastEnding?.isAsked !== true) {
        this.#tellEnd(waitMs);
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
    const { after = [] } = this.#spec.partOf ?? {};
    this.#become('starting', after.length === 0 ? '' : `it starts when ${after.join(', ')} is ready`);
    this.#lastLines = [];
    this.#lastEnding = undefined;
    const file = this.#options.logs.open(this.#name);
    this.#spec.prepare?.();
    const onLine = (line: string) => {
      file.line(line);
      this.#lastLines.push(line);
      if (this.#lastLines.length > lastLinesKept) this.#lastLines.shift();
    };
    const life = await this.#launcher.launch({ name: this.#name, spec: this.#spec, onLine }, signal);
    this.#life = life;
    this.#since = rfc3339(this.#clock.now());
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
        life.tellReady();
        return { ready: true, life };
      }
      const because = this.#endedBecause ?? ending.text;
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
    const text = `kagent has ended it: ${reason}`;
    if (!life.blame({ text, isAsked: false })) return;
    this.#patience.used();
    this.#endedBecause = text;
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
    const { text, isItsOwn } = ending;
    this.#life = undefined;
    this.#lastEnding = ending;
    const lastLine = isItsOwn ? this.#lastLines.at(-1) : undefined;
    const said = lastLine === undefined || lastLine.endsWith(text) ? text : `${text}: ${lastLine}`;
    this.#lastExit = this.#endedBecause ?? said;
    this.#endedBecause = undefined;
  }

  /** Of what another part of its process has brought about that part tells, or the process. */
  #tellEnd(waitMs: number): void {
    this.#become('backing-off', this.#lastExit);
    this.#options.log.warn('component ended', { component: this.#name, ending: this.#lastExit, waitMs });
    if (this.#lastEnding?.isItsOwn === false) return;
    const again = this.#spec.partOf?.process.name ?? 'it';
    this.#record(
      'Warning',
      'Ended',
      `${this.#name} ended (${this.#lastExit ?? 'unknown'}); ${again} starts again in ${waitMs} ms`,
    );
  }

  /** By `stop` unless said. @returns whether it has ended */
  async #end(life: Life, { signal, withinMs = this.#spec.stopTimeoutMs }: Ended = {}): Promise<boolean> {
    this.#watch.abort();
    this.#become('stopping', this.#endedBecause ?? 'kagent ends it');
    if (signal === undefined) life.stop();
    else life.signal(signal);
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
  readonly signal?: NodeJS.Signals;
  readonly withinMs?: number;
}
