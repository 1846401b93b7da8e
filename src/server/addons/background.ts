import { conditionTracker } from '../../shared/component/component.ts';
import type { Component, ComponentName } from '../../shared/component/component.ts';
import { messageOf, remedyOf } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import { untilDone, untilStopped } from '../../shared/until-stopped.ts';

type Work = (signal: AbortSignal, isWell: () => void) => Promise<void>;

/** What goes on in the background. A work that fails is tried again, and the condition says so until it calls `isWell` or is done. */
export interface Works {
  /** Begins anew each time it ends, as a watch does. */
  repeat(work: Work): void;
  /** Until it has succeeded. */
  once(work: Work): void;
  /** When everything else has ended. */
  atEnd(work: () => Promise<void>): void;
}

/** A component of the cluster that is up at once: nobody's start waits for it. */
export function backgroundComponent(
  options: { readonly name: ComponentName; readonly log: Log; readonly after?: readonly ComponentName[] },
  begin: (works: Works) => void,
): Component {
  const { name, log, after = ['kube-apiserver'] } = options;
  const condition = conditionTracker();
  const stopping = new AbortController();
  const works: Promise<void>[] = [];
  const ends: (() => Promise<void>)[] = [];
  const failing = new Map<Work, unknown>();
  const tell = () => {
    const [error] = failing.values();
    if (error === undefined) condition.set('True', 'Watching', '');
    else condition.set('False', 'RequestFailed', messageOf(error), remedyOf(error));
  };
  const run = (until: typeof untilStopped, work: Work, endsWell: boolean) => {
    const isWell = () => {
      if (failing.delete(work)) tell();
    };
    const attempt = async (signal: AbortSignal) => {
      await work(signal, isWell);
      if (endsWell) isWell();
    };
    const ended = until(attempt, stopping.signal, (error) => {
      failing.set(work, error);
      tell();
      log.debug('work of an add-on failed', { component: name, error });
    });
    works.push(ended);
  };
  return {
    name,
    after,
    async start() {
      tell();
      begin({
        repeat: (work) => run(untilStopped, work, false),
        once: (work) => run(untilDone, work, true),
        atEnd: (work) => ends.push(work),
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
