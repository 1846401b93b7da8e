import { systemClock } from '../../src/shared/clock.ts';
import type { Clock } from '../../src/shared/clock.ts';

export interface FakeClock extends Clock {
  advance(ms: number): void;
  /** Somebody sets the time of day. */
  set(byMs: number): void;
}

/** Stands still until it is moved. */
export function fakeClock(startMs = Date.now()): FakeClock {
  let passedMs = 0;
  let setMs = 0;
  return {
    now: () => startMs + setMs + passedMs,
    monotonicMs: () => startMs + passedMs,
    advance: (ms) => void (passedMs += ms),
    set: (byMs) => void (setMs += byMs),
  };
}

/** Runs as the machine's does, and is off by as much as is said whenever it is asked. */
export function skewedClock(byMs: { readonly now?: () => number; readonly monotonic?: () => number }): Clock {
  const { now = () => 0, monotonic = () => 0 } = byMs;
  return { now: () => systemClock.now() + now(), monotonicMs: () => systemClock.monotonicMs() + monotonic() };
}
