/**
 * @module
 * Work that is done now and then while nothing else happens. All of it is done at multiples of its period since the process
 * started, so that what is due about then is done in one moment: the process wakes up seldom, and finds its code warm.
 */

/** Who looks whether something has stayed as it was relies on the time between two looks. */
const leastShare = 0.9;

/** @param leastMs not sooner @param nowMs since the process started */
export function untilNextRound(everyMs: number, leastMs = leastShare * everyMs, nowMs = performance.now()): number {
  const nextMs = Math.ceil((nowMs + leastMs) / everyMs) * everyMs;
  return nextMs - nowMs + 1; // a timer may be early by a part of a millisecond
}

export interface Rounds {
  start(): void;
  /** Resolves when nothing of it is left. */
  stop(): Promise<void>;
}

/** One after the other, however long each takes; the process does not stay for them. @param work rejects with nothing */
export function rounds(everyMs: number, work: () => Promise<void>): Rounds {
  let timer: NodeJS.Timeout | undefined;
  let last = Promise.resolve();
  const wait = (): void => {
    timer = setTimeout(() => {
      last = work().finally(() => {
        if (timer !== undefined) wait();
      });
    }, untilNextRound(everyMs)).unref();
  };
  return {
    start: wait,
    async stop() {
      clearTimeout(timer);
      timer = undefined;
      await last;
    },
  };
}
