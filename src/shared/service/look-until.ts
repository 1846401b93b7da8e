import { setTimeout as delay } from 'node:timers/promises';

const leastPauseMs = 200;
const longestPauseMs = 5000;
/** Times what a look took: it has a tenth of the time at most, as a slow box needs its processor for the start that is waited for. */
const pauseShare = 9;

/** Looks again and again. @returns the first answer that is not undefined */
export async function lookUntil<T>(look: () => Promise<T | undefined>, signal: AbortSignal): Promise<T> {
  for (;;) {
    const startMs = performance.now();
    const answer = await look();
    if (answer !== undefined) return answer;
    const pauseMs = Math.max((performance.now() - startMs) * pauseShare, leastPauseMs);
    await delay(Math.min(pauseMs, longestPauseMs), undefined, { signal });
  }
}
