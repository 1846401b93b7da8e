/**
 * Whether a child that was ready still answers. One that is silent for too long is hung; one that has closed its socket ends
 * by itself, or is made to. What is slow is not hung: time in which kagent itself did not run, as in a suspended machine, does
 * not count, and time in which the machine kept the child from running counts for much less.
 *
 *   ready ──complains twice──▶ not-ready ──is well──▶ ready
 *   ready ──no answer──▶ not-answering ──patienceMs──▶ hung
 *   ready ──nobody listens──▶ stopping ──closesWithinMs──▶ hung
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../shared/clock.ts';
import { messageOf, systemCode } from '../../shared/errors.ts';
import { untilNextRound } from '../../shared/rounds.ts';
import { starvationOf, wasStarved } from './starvation.ts';
import { processStat } from './stat.ts';

export interface LivenessTiming {
  /** From one answer to the next question, at most. */
  readonly everyMs: number;
  /** For one answer. */
  readonly withinMs: number;
  /** Silence after which a child is hung; not less than two questions. */
  readonly patienceMs: number;
  /** The same for one that the machine keeps from running. */
  readonly starvedPatienceMs: number;
}

/** A hung child is found within 19 seconds, and started again within 30. */
export const usualTiming: LivenessTiming = {
  everyMs: 4000,
  withinMs: 5000,
  patienceMs: 15_000,
  starvedPatienceMs: 300_000,
};

export interface Said {
  readonly state: 'ready' | 'not-ready' | 'not-answering' | 'stopping';
  readonly message: string;
}

export interface Watched {
  readonly pid: number;
  readonly live: ((signal: AbortSignal) => Promise<void>) | undefined;
  readonly closesWithinMs: number;
  readonly timing: LivenessTiming;
  readonly clock: Clock;
  /** Told at each change. */
  readonly onSaid: (said: Said) => void;
}

/** A question that took so much longer than it may: this process did not run. */
const gapMs = 1000;
const soonMs = 1000;
const wellAgain: Said = { state: 'ready', message: '' };

/** @returns why the child has to be ended; undefined when `signal` ends the watch */
export async function untilHung(watched: Watched, signal: AbortSignal): Promise<string | undefined> {
  const { pid, closesWithinMs, timing, clock } = watched;
  const say = sayingChanges(watched.onSaid);
  const silence = new Silence(timing);
  let complaints = 0;
  let closedAtMs: number | undefined;
  const untilNext = () => untilNextRound(timing.everyMs, 0, clock.monotonicMs());
  for (let pauseMs = untilNext(); await waited(pauseMs, signal);) {
    const fromMs = clock.monotonicMs();
    const before = silence.isOn ? starvationOf(pid) : undefined;
    const said = await ask(watched, signal);
    if (signal.aborted) return undefined;
    const tookMs = clock.monotonicMs() - fromMs;
    if (said.state !== 'not-answering') silence.end();
    if (said.state !== 'not-ready') complaints = 0;
    if (said.state !== 'stopping') closedAtMs = undefined;
    pauseMs = untilNext();
    switch (said.state) {
      case 'ready':
        say(said);
        break;
      case 'not-ready':
        complaints += 1;
        pauseMs = Math.min(soonMs, timing.everyMs);
        if (complaints > 1) say(said);
        break;
      case 'stopping': {
        closedAtMs ??= fromMs;
        say(said);
        const leftMs = closedAtMs + closesWithinMs - clock.monotonicMs();
        if (leftMs <= 0) return `${said.message}, and did not end within ${closesWithinMs / 1000} s`;
        pauseMs = Math.min(soonMs, leftMs);
        break;
      }
      case 'not-answering': {
        pauseMs = 0;
        if (tookMs > timing.withinMs + gapMs) silence.end();
        else silence.add(tookMs, wasStarved(before, starvationOf(pid), tookMs));
        if (silence.isOn) say(silence.isStarved ? { ...said, message: `${said.message}; ${busy}` } : said);
        const forMs = silence.tooLongMs();
        if (forMs !== undefined) return `${said.message}, for ${Math.round(forMs / 1000)} s`;
      }
    }
  }
  return undefined;
}

const busy = 'the machine keeps it from running, so it is given more time';

/** How long a child has been silent, told apart by whose fault it was. */
class Silence {
  readonly #timing: LivenessTiming;
  #ownMs = 0;
  #starvedMs = 0;
  isStarved = false;

  constructor(timing: LivenessTiming) {
    this.#timing = timing;
  }

  get isOn(): boolean {
    return this.#ownMs + this.#starvedMs > 0;
  }

  add(ms: number, isStarved: boolean): void {
    this.isStarved = isStarved;
    if (isStarved) [this.#starvedMs, this.#ownMs] = [this.#starvedMs + this.#ownMs + ms, 0];
    else this.#ownMs += ms;
  }

  end(): void {
    [this.#starvedMs, this.#ownMs, this.isStarved] = [0, 0, false];
  }

  /** How long it was, once it is too long. */
  tooLongMs(): number | undefined {
    const { patienceMs, starvedPatienceMs } = this.#timing;
    const allMs = this.#ownMs + this.#starvedMs;
    return this.#ownMs >= patienceMs || allMs >= starvedPatienceMs ? allMs : undefined;
  }
}

function sayingChanges(onSaid: (said: Said) => void): (said: Said) => void {
  let last = wellAgain;
  return (said) => {
    if (said.state === last.state && said.message === last.message) return;
    last = said;
    onSaid(said);
  };
}

/** One timer and one signal for each question: there are many of them while nothing happens. */
function ask({ pid, live, timing }: Watched, signal: AbortSignal): Promise<Said> {
  if (live === undefined) return isStopped(pid) ? stillStopped(pid, timing, signal) : Promise.resolve(wellAgain);
  const { promise, resolve } = Promise.withResolvers<Said>();
  const over = new AbortController();
  const answer = (said: Said): void => {
    clearTimeout(tooLong);
    signal.removeEventListener('abort', ended);
    resolve(said);
  };
  const ended = (): void => {
    answer(silent(pid));
    over.abort();
  };
  const tooLong = setTimeout(ended, timing.withinMs);
  signal.addEventListener('abort', ended, { once: true });
  live(over.signal).then(
    () => answer(wellAgain),
    (error: unknown) => answer(saidBy(error)),
  );
  return promise;
}

async function stillStopped(pid: number, { withinMs }: LivenessTiming, signal: AbortSignal): Promise<Said> {
  await waited(withinMs, signal);
  return isStopped(pid) ? silent(pid) : wellAgain;
}

function silent(pid: number): Said {
  return {
    state: 'not-answering',
    message: isStopped(pid) ? 'a signal has stopped it (SIGSTOP)' : 'it does not answer',
  };
}

function saidBy(error: unknown): Said {
  const code = systemCode(error) ?? (error instanceof Error ? systemCode(error.cause) : undefined);
  if (code === 'ECONNREFUSED' || code === 'ENOENT') return { state: 'stopping', message: 'it has stopped listening' };
  return { state: 'not-ready', message: messageOf(error) };
}

/** By a signal; what a debugger holds (`t`) is its own affair. */
function isStopped(pid: number): boolean {
  return processStat(pid)?.state === 'T';
}

/** False if `signal` came first. */
export async function waited(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(ms, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}
