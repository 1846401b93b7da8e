import type { Clock } from '../../shared/clock.ts';
import type { LivenessTiming } from './liveness.ts';

const soonAgainMs = 60 * 60_000;
const usualTimes = 3;

/**
 * How long a child may be silent. The first three times within an hour `patienceMs`; then twice as long each time, up to
 * `starvedPatienceMs`: what restarts have not healed is not made worse by them.
 */
export class Patience {
  readonly #timing: LivenessTiming;
  readonly #clock: Clock;
  #usedAtMs: readonly number[] = [];

  constructor(timing: LivenessTiming, clock: Clock) {
    this.#timing = timing;
    this.#clock = clock;
  }

  /** A child was ended because it was silent for too long. */
  used(): void {
    this.#usedAtMs = [...this.#lately(), this.#clock.monotonicMs()];
  }

  timing(): LivenessTiming {
    const { patienceMs, starvedPatienceMs } = this.#timing;
    const more = Math.max(0, this.#lately().length - usualTimes + 1);
    return { ...this.#timing, patienceMs: Math.min(patienceMs * 2 ** more, starvedPatienceMs) };
  }

  #lately(): readonly number[] {
    return this.#usedAtMs.filter((ms) => this.#clock.monotonicMs() - ms < soonAgainMs);
  }
}
