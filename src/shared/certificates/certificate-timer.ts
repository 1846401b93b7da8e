import { conditionTracker } from '../component/component.ts';
import type { Component, ComponentName } from '../component/component.ts';
import { remedyOf } from '../errors.ts';
import type { Log } from '../log/log.ts';

const everyMs = 60 * 60 * 1000;
/** After a failure, or a start without a server, which may be back. */
const againMs = 60 * 1000;
const namesEveryMs = 5000;

/**
 * Renews what is due, so that a box that is left alone for years keeps its certificates; and at once when the
 * names change that are in them.
 */
export function certificateTimer(options: {
  readonly name: ComponentName;
  readonly after: readonly ComponentName[];
  readonly log: Log;
  /** @returns the names of those that were renewed */
  readonly renew: () => Promise<readonly string[]>;
  /** What is in the certificates and may change: the host's addresses. */
  readonly names?: () => readonly string[];
}): Component {
  const { name, after, log, renew, names } = options;
  const condition = conditionTracker();
  let timer: NodeJS.Timeout | undefined;
  let namesTimer: NodeJS.Timeout | undefined;
  let known = '';
  let isStopped = false;
  const current = () => names?.().toSorted().join(' ') ?? '';
  const renewIfRenamed = () => {
    const now = current();
    if (now === known) return;
    log.info('the names in the certificates change', { before: known, now });
    known = now;
    void renewNow();
  };
  const renewNow = async () => {
    let nextMs = everyMs;
    try {
      const renewed = await renew();
      condition.set('True', 'Valid', '');
      if (renewed.length > 0) log.info('certificates renewed', { certificates: renewed });
    } catch (error) {
      nextMs = againMs;
      if (condition.current().status !== 'False') log.error('certificates not renewed', { error });
      condition.set('False', 'RenewalFailed', String(error), remedyOf(error));
    }
    if (isStopped) return;
    clearTimeout(timer);
    timer = setTimeout(() => void renewNow(), nextMs).unref();
  };
  return {
    name,
    after,
    async start() {
      condition.set('True', 'Valid', ''); // they were made or renewed just now
      isStopped = false;
      timer = setTimeout(() => void renewNow(), againMs).unref();
      if (names === undefined) return;
      known = current();
      namesTimer = setInterval(renewIfRenamed, namesEveryMs).unref();
    },
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      clearInterval(namesTimer);
    },
    health: () => condition.current(),
  };
}
