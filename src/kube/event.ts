import { randomBytes } from 'node:crypto';
import { rfc3339 } from '../shared/clock.ts';
import type { Clock } from '../shared/clock.ts';

export interface EventFacts {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

const maxMessage = 1024; // kube-apiserver's own limit

/** metav1.Time has no fractions. */
export function wholeSeconds(clock: Clock): string {
  return rfc3339(clock.now()).replace(/\.\d+Z$/, 'Z');
}

/** The name of an event that may be there many times: `prefix` is what names of objects allow. */
export function uniqueName(prefix: string): string {
  return `${prefix}.${randomBytes(8).toString('hex')}`;
}

/** Kubernetes' Event about `involvedObject`, to be created in its namespace. */
export function kubeEvent(options: {
  readonly facts: EventFacts;
  readonly involvedObject: Readonly<Record<string, string>>;
  /** Of the event itself; one that is there already is not made twice. */
  readonly name: string;
  readonly namespace: string;
  readonly host: string;
  readonly clock: Clock;
}): unknown {
  const { facts, involvedObject, name, namespace, host, clock } = options;
  const time = wholeSeconds(clock);
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace },
    involvedObject,
    ...facts,
    message: facts.message.slice(0, maxMessage),
    source: { component: 'kagent', host },
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  };
}
