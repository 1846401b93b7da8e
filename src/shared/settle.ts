/**
 * @module
 * Memory that a start took for a moment goes back to the system: a thread at rest allocates too little for V8 to look.
 */
const startTimeMs = 15_000;

/** Once per thread, after its start. Does nothing without `--expose-gc`, which the executable is built with. */
export function settleAfterStart(): void {
  setTimeout(() => globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' }), startTimeMs).unref();
}
