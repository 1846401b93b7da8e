import type { Clock } from '../../shared/clock.ts';
import type { Log } from '../../shared/log/log.ts';
import { Rate } from '../../shared/rate/rate.ts';
import type { NodeCondition } from './conditions.ts';
import type { NodeDirectory } from './directory.ts';
import { type KubeClient, KubeError, type EventFacts, kubeEvent, uniqueName, wholeSeconds } from '../../kube/kube.ts';
import { pause } from '../../shared/pause.ts';

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

const retryMs = 2000;
/** The same sentence is not told again within this time. */
const repeatMs = 60_000;
const toldKept = 1000;
/** A node whose state changes with each of its heartbeats is written down once in so long: the first change at once. */
const writeEveryMs = 1000;
/** Events of one node: some at once, then one in ten seconds. More than that nobody reads, and the datastore keeps them all. */
const eventRate = { burst: 25, perSecond: 0.1 };

export function createAnnouncer(options: {
  readonly kube: KubeClient;
  readonly directory: NodeDirectory;
  readonly clock: Clock;
  readonly log: Log;
}): Announcer {
  const { kube, directory, clock, log } = options;
  const wanted = new Map<string, readonly NodeCondition[]>();
  const told = new Map<string, number>();
  const working = new Map<string, Promise<void>>();
  const askedAgain = new Set<string>();
  const rate = new Rate(eventRate, clock);
  const stopping = new AbortController();

  /** The conditions to write now; none where the API has them, or has no such Node. */
  const missing = (nodeName: string) => {
    const node = directory.get(nodeName);
    if (node === undefined) return [];
    const known = new Map((node.status?.conditions ?? []).map((condition) => [condition.type, condition]));
    return (wanted.get(nodeName) ?? []).flatMap((condition) => {
      const before = known.get(condition.type);
      const { status, reason, message } = condition;
      if (before?.status === status && before.reason === reason && before.message === message) return [];
      const now = wholeSeconds(clock);
      const lastTransitionTime = before?.status === status ? (before.lastTransitionTime ?? now) : now;
      return [{ ...condition, lastHeartbeatTime: now, lastTransitionTime }];
    });
  };

  const write = async (nodeName: string): Promise<void> => {
    const { signal } = stopping;
    const conditions = missing(nodeName);
    if (conditions.length === 0) return;
    try {
      await kube.strategicPatch(`/api/v1/nodes/${nodeName}/status`, { status: { conditions } }, signal);
    } catch (error) {
      if (signal.aborted || (error instanceof KubeError && error.status === 404)) return; // its deletion will be seen
      log.debug('node conditions not written', { node: nodeName, error });
      setTimeout(() => check(nodeName), retryMs).unref();
    }
  };

  /** One write a node at a time, and then a rest; the watch tells of its result, which checks again. */
  const check = (nodeName: string): void => {
    if (working.has(nodeName)) return void askedAgain.add(nodeName);
    if (stopping.signal.aborted || missing(nodeName).length === 0) return;
    const rest = pause(writeEveryMs, stopping.signal);
    const done = Promise.all([write(nodeName), rest]).then(() => {
      working.delete(nodeName);
      if (askedAgain.delete(nodeName)) check(nodeName);
    });
    working.set(nodeName, done);
  };

  const announceChange = (nodeName: string, before: NodeCondition | undefined, now: NodeCondition): void => {
    if (before === undefined || before.status === now.status) return;
    if (now.status === 'False') emit(nodeName, { type: 'Warning', reason: now.reason, message: now.message });
    else if (before.status === 'False' && now.status === 'True') {
      emit(nodeName, { type: 'Normal', reason: now.reason, message: now.message });
    }
  };

  const emit = (nodeName: string, event: NodeEvent): void => {
    const key = `${nodeName} ${event.reason} ${event.message}`;
    const nowMs = clock.monotonicMs();
    if ((told.get(key) ?? -repeatMs) + repeatMs > nowMs) return;
    if (!rate.take(nodeName)) return;
    told.delete(key);
    told.set(key, nowMs);
    const [oldest] = told.keys();
    if (told.size > toldKept && oldest !== undefined) told.delete(oldest);
    const body = kubeEvent({
      facts: event,
      involvedObject: { kind: 'Node', name: nodeName, uid: nodeName },
      name: uniqueName(nodeName),
      namespace: 'default',
      host: nodeName,
      clock,
    });
    kube
      .create('/api/v1/namespaces/default/events', body, stopping.signal)
      .catch((error: unknown) => log.debug('event not written', { node: nodeName, reason: event.reason, error }));
  };

  return {
    setConditions(nodeName, conditions) {
      const before = new Map((wanted.get(nodeName) ?? []).map((condition) => [condition.type, condition]));
      wanted.set(nodeName, conditions);
      for (const condition of conditions) announceChange(nodeName, before.get(condition.type), condition);
      check(nodeName);
    },
    check,
    event: emit,
    async stop() {
      stopping.abort();
      await Promise.allSettled(working.values());
    },
  };
}
