import { setTimeout as delay } from 'node:timers/promises';

/** Between two looks. What takes long costs much, and on a slow host what is looked at needs the processor itself. */
export interface LookPauses {
  readonly leastMs: number;
  readonly mostMs: number;
  /** Times what the last look took: with 9, looking has a tenth of the time at most. */
  readonly timesLook: number;
}

/** Looks again and again. @returns the first answer that is not undefined */
export async function lookUntil<T>(
  look: () => Promise<T | undefined>,
  { leastMs, mostMs, timesLook }: LookPauses,
  signal: AbortSignal,
): Promise<T> {
  for (;;) {
    const startMs = performance.now();
    const answer = await look();
    if (answer !== undefined) return answer;
    const pauseMs = Math.max((performance.now() - startMs) * timesLook, leastMs);
    await delay(Math.min(pauseMs, mostMs), undefined, { signal });
  }
}
