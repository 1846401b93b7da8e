import { setTimeout as delay } from 'node:timers/promises';

/** Between two looks. What takes long costs much, and on a slow host what is looked at needs the processor itself. */
export interface LookPauses {
  readonly leastMs: number;
  readonly mostMs: number;
  /**
   * Times what the last two looks took at least: with 9, looking has a tenth of the time at most. One that takes long alone may have
   * waited itself, as for a program that listens and does not answer yet, and says nothing of what looking costs.
   */
  readonly timesLook: number;
}

/** Looks again and again. @returns the first answer that is not undefined */
export async function lookUntil<T>(
  look: () => Promise<T | undefined>,
  { leastMs, mostMs, timesLook }: LookPauses,
  signal: AbortSignal,
): Promise<T> {
  let beforeMs = 0;
  for (;;) {
    const startMs = performance.now();
    const answer = await look();
    if (answer !== undefined) return answer;
    const tookMs = performance.now() - startMs;
    const pauseMs = Math.max(Math.min(tookMs, beforeMs) * timesLook, leastMs);
    beforeMs = tookMs;
    await delay(Math.min(pauseMs, mostMs), undefined, { signal });
  }
}
