import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../shared/errors.ts';
import { waited } from './liveness.ts';
import type { Life, ProcessSpec } from './types.ts';

export async function endsWithin(life: Life, ms: number): Promise<boolean> {
  const over = new AbortController();
  const tooLate = waited(ms, over.signal).then(() => false);
  try {
    return await Promise.race([life.ended.then(() => true), tooLate]);
  } finally {
    over.abort();
  }
}

/** Calls `ready` until it resolves: at first often, since most children are up in a moment. */
export async function retried(
  ready: ProcessSpec['ready'],
  signal: AbortSignal,
  onFailure: (reason: string) => void,
): Promise<void> {
  for (let waitMs = 20; ; waitMs = Math.min(waitMs * 1.5, 250)) {
    signal.throwIfAborted();
    try {
      return await ready(signal);
    } catch (error) {
      signal.throwIfAborted();
      onFailure(messageOf(error));
      await delay(waitMs, undefined, { signal });
    }
  }
}
