/**
 * @module
 * Memory that a start took for a moment goes back to the system: a thread at rest allocates too little for V8 to look.
 */
import { isMainThread } from 'node:worker_threads';
import { giveUpProgramPages } from './program-pages.ts';

const startTimeMs = 15_000;
const betweenMs = 1000;
/** V8 drops the code of a function that it has found unused in six collections. */
const collections = 8;

/** Once per thread, after its start. Does nothing without `--expose-gc`, which the executable is built with. */
export function settleAfterStart(): void {
  for (let n = 0; n < collections; n++) setTimeout(collect, startTimeMs + n * betweenMs).unref(); // each takes some 15 ms
  if (isMainThread) setTimeout(() => void giveUpProgramPages(), startTimeMs + collections * betweenMs).unref();
}

function collect(): void {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
