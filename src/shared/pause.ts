import { setTimeout as delay } from 'node:timers/promises';

/** Resolves after `ms`, or at once when `signal` ends it; a process that has nothing else to do does not wait for it. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal, ref: false }).catch(() => {});
}
