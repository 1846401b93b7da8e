/**
 * Calls back when things are due, with one timer for all of them. A thing may be put off at any time by raising its
 * `expiresAtMs`: it is looked at again when its old time comes.
 */
import type { Clock } from '../../shared/clock.ts';

export interface Expiring {
  /** On the monotonic clock; may grow, never shrinks. */
  expiresAtMs: number;
}

interface Item<T> {
  readonly atMs: number;
  readonly thing: T;
}

/** Node's timers hold 31 bits of milliseconds. */
const longestTimerMs = 3_600_000;

export class ExpiryQueue<T extends Expiring> {
  readonly #clock: Clock;
  readonly #onDue: (thing: T) => void;
  /** A binary heap: each item is due no later than the two at 2i+1 and 2i+2. */
  readonly #heap: Item<T>[] = [];
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Infinity;
  #isStarted = false;

  constructor(clock: Clock, onDue: (thing: T) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  start(): void {
    this.#isStarted = true;
    this.#run();
  }

  stop(): void {
    this.#isStarted = false;
    clearTimeout(this.#timer);
  }

  add(thing: T): void {
    this.#push({ atMs: thing.expiresAtMs, thing });
    if (this.#isStarted && thing.expiresAtMs < this.#timerAtMs) this.#arm();
  }

  #run(): void {
    const now = this.#clock.monotonicMs();
    for (let first = this.#heap[0]; first !== undefined && first.atMs <= now; first = this.#heap[0]) {
      this.#pop();
      if (first.thing.expiresAtMs > now) this.#push({ atMs: first.thing.expiresAtMs, thing: first.thing });
      else this.#onDue(first.thing);
    }
    if (this.#isStarted) this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const first = this.#heap[0];
    this.#timerAtMs = first?.atMs ?? Infinity;
    if (first === undefined) return;
    // One more millisecond: timers may fire a fraction early.
    const waitMs = Math.min(Math.max(first.atMs - this.#clock.monotonicMs() + 1, 0), longestTimerMs);
    this.#timer = setTimeout(() => this.#run(), waitMs);
  }

  #push(item: Item<T>): void {
    const heap = this.#heap;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const above = heap[parent];
      if (above === undefined || above.atMs <= item.atMs) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = item;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if ((heap[child + 1]?.atMs ?? Infinity) < (heap[child]?.atMs ?? Infinity)) child += 1;
      const below = heap[child];
      if (below === undefined || below.atMs >= last.atMs) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}
