import { once } from 'node:events';
import type { ConditionTracker } from '../shared/component/component.ts';
import type { Log } from '../shared/log/log.ts';
import { pause } from '../shared/pause.ts';
import { untilNextRound } from '../shared/rounds.ts';

export interface StoreWatchOptions {
  /** A question that both threads of the store have to answer. */
  readonly ask: () => Promise<unknown>;
  readonly condition: ConditionTracker;
  /** Whose disk is to blame. */
  readonly dir: string;
  readonly log: Log;
  readonly timing?: { readonly everyMs: number; readonly withinMs: number };
}

const usualTiming = { everyMs: 5000, withinMs: 5000 };

/**
 * Whether the store still answers: a disk that hangs holds its writer, and with it everything that is written to the cluster.
 * Nothing is restarted: a new writer would wait for the same disk.
 */
export async function watchStore(options: StoreWatchOptions, signal: AbortSignal): Promise<void> {
  const { ask, condition, dir, log, timing = usualTiming } = options;
  const stopped = once(signal, 'abort');
  for (;;) {
    await pause(untilNextRound(timing.everyMs), signal);
    if (signal.aborted) return;
    const answer = ask();
    const silence = setTimeout(() => {
      const remedy = "see 'dmesg', and whether a file written there arrives";
      const message = `the store in ${dir} does not answer: its disk hangs or is very slow; ${remedy}`;
      condition.set('False', 'NotAnswering', message, remedy);
      log.warn('datastore does not answer', { dir });
    }, timing.withinMs).unref();
    await Promise.race([answer, stopped]);
    clearTimeout(silence);
    if (signal.aborted) return;
    if (condition.current().status !== 'True') log.info('datastore answers again', { dir });
    condition.set('True', 'Serving', '');
  }
}
