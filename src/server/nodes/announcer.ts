import type { Clock } from '../../shared/clock.ts';
import type { Log } from '../../shared/log/log.ts';
import type { EventFacts, KubeClient } from '../../kube/kube.ts';
import type { Leadership } from '../cluster/cluster.ts';
import { ConditionWriter } from './condition-writer.ts';
import type { NodeCondition } from './conditions.ts';
import type { NodeDirectory } from './directory.ts';
import { EventWriter } from './event-writer.ts';

/** What people see of it with kubectl: conditions of the Node, and events. */
export interface Announcer {
  /** Writes those that differ from what the API has; again whenever the Node changes. */
  setConditions(nodeName: string, conditions: readonly NodeCondition[]): void;
  /** The Node has changed: what is wanted may have to be written again. */
  check(nodeName: string): void;
  event(nodeName: string, event: NodeEvent): void;
  /** Nothing more is written. */
  stop(): Promise<void>;
}

export type NodeEvent = EventFacts;

export function createAnnouncer(options: {
  readonly kube: KubeClient;
  readonly directory: NodeDirectory;
  /** What others write is not written again. */
  readonly leadership: Pick<Leadership, 'isLeading'>;
  readonly clock: Clock;
  readonly log: Log;
}): Announcer {
  const { leadership } = options;
  const stopping = new AbortController();
  const conditionWriter = new ConditionWriter({ ...options, signal: stopping.signal });
  const eventWriter = new EventWriter({ ...options, signal: stopping.signal });
  return {
    setConditions(nodeName, conditions) {
      if (!leadership.isLeading()) return;
      const before = new Map(conditionWriter.set(nodeName, conditions).map((condition) => [condition.type, condition]));
      for (const condition of conditions) {
        const event = eventOf(before.get(condition.type), condition);
        if (event !== undefined) eventWriter.write(nodeName, event);
      }
      conditionWriter.check(nodeName);
    },
    check: (nodeName) => conditionWriter.check(nodeName),
    event(nodeName, event) {
      if (leadership.isLeading()) eventWriter.write(nodeName, event);
    },
    async stop() {
      stopping.abort();
      await conditionWriter.settled();
    },
  };
}

/** Of a condition that has become False, or True again. */
function eventOf(before: NodeCondition | undefined, now: NodeCondition): NodeEvent | undefined {
  if (before === undefined || before.status === now.status) return undefined;
  const { reason, message } = now;
  if (now.status === 'False') return { type: 'Warning', reason, message };
  return before.status === 'False' && now.status === 'True' ? { type: 'Normal', reason, message } : undefined;
}
