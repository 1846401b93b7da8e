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
