import { rfc3339, systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { plainText } from '../plain-text/plain-text.ts';
import type { Condition } from './types.ts';

export interface ConditionTracker {
  /** @param remedy the next step, with which the message ends */
  set(status: Condition['status'], reason: string, message: string, remedy?: string): void;
  current(): Condition;
}

/** As Kubernetes allows. */
const maxMessageChars = 32_768;

/** Keeps `lastTransitionTime` as Kubernetes does: it moves only when `status` does. */
export function conditionTracker(clock: Clock = systemClock): ConditionTracker {
  let condition: Condition = {
    status: 'Unknown',
    reason: 'NotStarted',
    message: '',
    lastTransitionTime: rfc3339(clock.now()),
  };
  return {
    set(status, reason, message, remedy) {
      const lastTransitionTime = status === condition.status ? condition.lastTransitionTime : rfc3339(clock.now());
      condition = {
        status,
        reason,
        message: plainText(message.slice(0, maxMessageChars)),
        lastTransitionTime,
        ...(remedy !== undefined && { remedy: plainText(remedy) }),
      };
    },
    current: () => condition,
  };
}
