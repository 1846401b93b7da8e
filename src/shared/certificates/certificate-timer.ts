import { conditionTracker } from '../component/component.ts';
import type { Component } from '../component/component.ts';
import type { Log } from '../log/log.ts';

const everyMs = 12 * 60 * 60 * 1000;

/** Renews what is due twice a day, so that a box that is left alone for years keeps its certificates. */
export function certificateTimer(options: {
  readonly name: string;
  readonly after: readonly string[];
  readonly log: Log;
  /** @returns the names of those that were renewed */
  readonly renew: () => Promise<readonly string[]>;
}): Component {
  const { name, after, log, renew } = options;
  const condition = conditionTracker();
  let timer: NodeJS.Timeout | undefined;
  const renewNow = async () => {
    try {
      const renewed = await renew();
      condition.set('True', 'Valid', '');
      if (renewed.length > 0) log.info('certificates renewed', { certificates: renewed });
    } catch (error) {
      condition.set('False', 'RenewalFailed', String(error));
      log.error('certificates not renewed', { error });
    }
  };
  return {
    name,
    after,
    async start() {
      condition.set('True', 'Valid', ''); // they were made or renewed just now
      timer = setInterval(() => void renewNow(), everyMs);
      timer.unref();
    },
    stop: async () => clearInterval(timer),
    health: () => condition.current(),
  };
}
