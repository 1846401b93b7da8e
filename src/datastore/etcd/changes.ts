/** A watch as a loop: for calls that wait for something to happen in the store. */
import type { KeyRange, Revision, Store } from '../store/store.ts';

export interface Change {
  readonly revision: Revision;
  readonly isDelete: boolean;
  readonly record: Uint8Array;
}

/** So many wait for the loop at most; the others are read from the history later. */
const maxWaiting = 100;

/** Every change of the range after a revision, until `signal`, the end of the loop, or a compaction beyond it. */
export async function* changesOf(
  store: Store,
  { range, after }: { readonly range: KeyRange; readonly after: Revision },
  signal: AbortSignal,
): AsyncGenerator<Change> {
  const waiting: Change[] = [];
  let isOver = signal.aborted;
  let wake = (): void => {};
  const end = (): void => {
    isOver = true;
    wake();
  };
  const startRevision = (after + 1) as Revision;
  const watch = store.watch(
    { range, startRevision, noPut: false, noDelete: false },
    {
      events: (_, events) => {
        // A record is only lent for the time of this call.
        waiting.push(...events.map((event) => ({ ...event, record: Buffer.from(event.record) })));
        wake();
        return waiting.length < maxWaiting;
      },
      compacted: end,
      caughtUp: () => {},
    },
  );
  signal.addEventListener('abort', end);
  try {
    while (!isOver || waiting.length > 0) {
      const next = waiting.shift();
      if (next !== undefined) yield next;
      else {
        watch.resume();
        await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  } finally {
    signal.removeEventListener('abort', end);
    watch.cancel();
  }
}
