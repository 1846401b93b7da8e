import { setTimeout as delay } from 'node:timers/promises';

const againAfterMs = 500;

/** Again and again, after an end and after a failure: kube-apiserver ends a watch after some minutes, and may be away. */
export async function untilStopped(
  run: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
  onFailure: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await run(signal);
    } catch (error) {
      if (signal.aborted) return;
      onFailure(error);
    }
    await delay(againAfterMs, undefined, { signal }).catch(() => {}); // only the stop ends it early
  }
}

/** Until it has succeeded once. */
export async function untilDone(
  run: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
  onFailure: (error: unknown) => void,
): Promise<void> {
  const over = new AbortController();
  const attempt = async (passing: AbortSignal) => {
    await run(passing);
    over.abort();
  };
  await untilStopped(attempt, AbortSignal.any([signal, over.signal]), onFailure);
}
