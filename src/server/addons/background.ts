import { conditionTracker } from '../../shared/component/component.ts';
import type { Component, ComponentName } from '../../shared/component/component.ts';
import { messageOf, remedyOf } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import { pause } from '../../shared/pause.ts';
import { untilDone, untilStopped } from '../../shared/until-stopped.ts';

type Work = (signal: AbortSignal, isWell: () => void) => Promise<void>;

/** What goes on in the background. A work that fails is tried again, and the condition says so until it calls `isWell` or is done. */
export interface Works {
  /** Begins anew each time it ends, as a watch does. */
  repeat(work: Work): void;
  /** Until it has succeeded. */
  once(work: Work): void;
  /**
   * One pass at the beginning, after each change and after each failure; and when the last pass said, in milliseconds.
   * @returns what tells of a change
   */
  passes(pass: (signal: AbortSignal) => Promise<number | undefined>): () => void;
  /** When everything else has ended. */
  atEnd(work: () => Promise<void>): void;
  /** What the condition says while nothing fails. */
  say(state: WellState): void;
}

/** Of work that does not fail itself; what it works for may be in a bad state. */
export interface WellState {
  readonly status?: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
  readonly remedy?: string;
}

interface Background {
  readonly name: ComponentName;
  readonly log: Log;
  /** Besides kube-apiserver. */
  readonly after?: readonly ComponentName[];
}

/** One change seldom comes alone. */
const settleMs = 20;

/** A component of the cluster that is up at once: nobody's start waits for it. */
export function backgroundComponent({ name, log, after = [] }: Background, begin: (works: Works) => void): Component {
  const condition = conditionTracker();
  const stopping = new AbortController();
  const works: Promise<void>[] = [];
  const ends: (() => Promise<void>)[] = [];
  const failing = new Map<Work, unknown>();
  let state: WellState = { reason: 'Watching', message: '' };
  const tell = () => {
    const [error] = failing.values();
    if (error === undefined) condition.set(state.status ?? 'True', state.reason, state.message, state.remedy);
    else condition.set('False', 'RequestFailed', messageOf(error), remedyOf(error));
  };
  const run = (until: typeof untilStopped, work: Work, endsWell: boolean) => {
    let failures = 0;
    const isWell = () => {
      failures = 0;
      if (failing.delete(work)) tell();
    };
    const attempt = async (signal: AbortSignal) => {
      await work(signal, isWell);
      if (endsWell) isWell();
    };
    const ended = until(attempt, stopping.signal, (error) => {
      failures += 1;
      // A kind that was just defined is refused for a moment (429): what heals at the next try is nobody's concern.
      if (failures > 1) failing.set(work, error);
      tell();
      log.debug('work of an add-on failed', { component: name, error });
    });
    works.push(ended);
  };
  return {
    name,
    after: ['kube-apiserver', ...after],
    async start() {
      tell();
      begin({
        repeat: (work) => run(untilStopped, work, false),
        passes(pass) {
          const { work, wake } = passAfterPass(pass);
          run(untilStopped, work, false);
          return wake;
        },
        once: (work) => run(untilDone, work, true),
        atEnd: (work) => ends.push(work),
        say(now) {
          state = now;
          tell();
        },
      });
    },
    async stop() {
      stopping.abort();
      await Promise.all(works);
      for (const end of ends) await end();
    },
    health: () => condition.current(),
  };
}

function passAfterPass(pass: Parameters<Works['passes']>[0]): { readonly work: Work; readonly wake: () => void } {
  let changed = Promise.withResolvers<void>();
  const wake = () => changed.resolve();
  const work: Work = async (signal, isWell) => {
    signal.addEventListener('abort', wake);
    wake(); // what failed is tried again
    while (!signal.aborted) {
      await changed.promise;
      await pause(settleMs, signal);
      changed = Promise.withResolvers();
      const dueMs = await pass(signal);
      isWell();
      if (dueMs !== undefined) void pause(dueMs, signal).then(wake);
    }
  };
  return { work, wake };
}
