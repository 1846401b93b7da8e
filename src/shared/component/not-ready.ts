import { systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log/log.ts';
import type { ComponentManager, NotReady } from './types.ts';

/** After this time whatever waits has said what it waits for, in status, log and node condition. */
const saidWithinMs = 15_000;
const lookEveryMs = 2500;
/** What is told to others goes out with a heartbeat, and is written by its server. */
const toldAfterMs = 7500;
/** For others alone, which say more; or as it was told to be. */
const silent: readonly string[] = ['Waiting', 'Stopped'];

/** Whether it is not ready for too long to say nothing. */
function isOverdue({ condition }: NotReady, nowMs: number, afterMs = saidWithinMs - lookEveryMs): boolean {
  return nowMs - Date.parse(condition.lastTransitionTime) >= afterMs;
}

/** Whether other machines are told: of one that was ready at once, of one that starts when it takes long. */
export function isToBeTold(one: NotReady, nowMs: number): boolean {
  return (one.wasReady && one.condition.status === 'False') || isOverdue(one, nowMs, toldAfterMs);
}

/** What a start waits for, once it takes long: the first that does not merely wait for another. */
export function heldUpBy(all: readonly NotReady[], nowMs: number): string | undefined {
  const first = all.find((one) => isOverdue(one, nowMs) && !silent.includes(one.condition.reason));
  return first === undefined ? undefined : `${first.name}: ${first.condition.message}`;
}

interface WatchOptions {
  readonly clock?: Clock;
  readonly everyMs?: number;
  /** Told the names of all that are not ready for too long, with commas between; an empty text: there is none. */
  readonly onChange?: (names: string) => void;
}

/**
 * Logs each component that is not ready for too long, with what it waits for; again when the reason is another one.
 * What merely waits for such a component is not logged. @returns what ends it
 */
export function watchNotReady(
  manager: Pick<ComponentManager, 'notReady'>,
  log: Log,
  { clock = systemClock, everyMs = lookEveryMs, onChange = () => {} }: WatchOptions = {},
): () => void {
  const told = new Map<string, string>();
  const look = (): void => {
    const before = [...told.keys()].join(', ');
    tell(manager.notReady());
    const now = [...told.keys()].join(', ');
    if (now !== before) onChange(now);
  };
  const tell = (all: readonly NotReady[]): void => {
    for (const name of told.keys()) {
      if (all.some((one) => one.name === name)) continue;
      told.delete(name);
      log.info('component is ready now', { component: name });
    }
    for (const { name, condition } of all.filter((one) => isOverdue(one, clock.now()))) {
      const { reason, message, lastTransitionTime } = condition;
      if (silent.includes(reason) || told.get(name) === reason) continue;
      told.set(name, reason);
      log.warn('component is not ready', { component: name, reason, message, since: lastTransitionTime });
    }
  };
  const timer = setInterval(look, everyMs).unref();
  return () => clearInterval(timer);
}
