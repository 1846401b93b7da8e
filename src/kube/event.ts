import { randomBytes } from 'node:crypto';
import { rfc3339 } from '../shared/clock.ts';
import type { Clock } from '../shared/clock.ts';
import type { Log } from '../shared/log/log.ts';
import type { KubeClient } from './client.ts';

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

export interface KubeEventOptions {
  readonly facts: EventFacts;
  readonly involvedObject: Readonly<Record<string, string>>;
  /** Of the event itself; one that is there already is not made twice. */
  readonly name: string;
  readonly namespace: string;
  readonly host: string;
  readonly clock: Clock;
}

/** Kubernetes' Event about `involvedObject`, to be created in its namespace. */
export function kubeEvent(options: KubeEventOptions): unknown {
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

/** Nobody waits for it; one that cannot be written is logged. */
export function writeEvent(
  { kube, log, signal }: { readonly kube: KubeClient; readonly log: Log; readonly signal?: AbortSignal },
  event: KubeEventOptions,
): void {
  const { namespace, facts, involvedObject } = event;
  const { reason } = facts;
  kube
    .create(`/api/v1/namespaces/${namespace}/events`, kubeEvent(event), signal)
    .catch((error: unknown) => log.debug('event not written', { regarding: involvedObject['name'], reason, error }));
}
