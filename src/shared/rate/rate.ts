/**
 * @module
 * How often each of many may do something: some times at once, then so many a second.
 */
import { systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';

export interface RateOptions {
  /** At once. */
  readonly burst: number;
  readonly perSecond: number;
}

const holdersKept = 4096;

/** How often each may do something. */
export class Rate {
  readonly #options: RateOptions;
  readonly #clock: Clock;
  readonly #budgets = new Map<string, { readonly left: number; readonly atMs: number }>();

  constructor(options: RateOptions, clock: Clock = systemClock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Whether the next would be one too many. */
  isSpent(holder: string): boolean {
    return this.#left(holder) < 1;
  }

  /** @returns false for one too many */
  take(holder: string): boolean {
    const left = this.#left(holder) - 1;
    this.#budgets.delete(holder);
    this.#budgets.set(holder, { left: Math.max(left, 0), atMs: this.#clock.monotonicMs() });
    const [oldest] = this.#budgets.keys();
    if (this.#budgets.size > holdersKept && oldest !== undefined) this.#budgets.delete(oldest);
    return left >= 0;
  }

  #left(holder: string): number {
    const { burst, perSecond } = this.#options;
    const before = this.#budgets.get(holder);
    if (before === undefined) return burst;
    return Math.min(burst, before.left + ((this.#clock.monotonicMs() - before.atMs) / 1000) * perSecond);
  }
}
