import type { Clock } from '../../src/shared/clock.ts';

export interface FakeClock extends Clock {
  advance(ms: number): void;
}

/** Stands still until it is moved. */
export function fakeClock(startMs = Date.now()): FakeClock {
  let nowMs = startMs;
  return { now: () => nowMs, monotonicMs: () => nowMs, advance: (ms) => void (nowMs += ms) };
}
