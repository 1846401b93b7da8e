/**
 * @module
 * What happened that a person would want to know, newest last, in bounded memory.
 * Knows: Kubernetes' event fields. Leaves to others: writing them to the cluster, showing them.
 */
import { EventEmitter, on } from 'node:events';
import { plainText } from '../plain-text/plain-text.ts';
import { rfc3339, systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';

export interface KagentEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string; // CamelCase: 'Restarted'
  readonly regarding: string; // 'kube-apiserver'
  readonly message: string;
  readonly eventTime: string; // RFC 3339
}

export interface EventLog {
  record(event: Omit<KagentEvent, 'eventTime'>): void;
  recent(limit: number): readonly KagentEvent[]; // newest last
  follow(signal: AbortSignal): AsyncIterable<KagentEvent>;
}

export function createEventLog(options: { readonly keep: number; readonly clock?: Clock }): EventLog {
  const { keep, clock = systemClock } = options;
  const kept: KagentEvent[] = [];
  const emitter = new EventEmitter().setMaxListeners(0);
  return {
    record(event) {
      const full = { ...event, message: plainText(event.message), eventTime: rfc3339(clock.now()) };
      kept.push(full);
      if (kept.length > keep) kept.shift();
      emitter.emit('event', full);
    },
    recent: (limit) => kept.slice(-limit),
    async *follow(signal) {
      try {
        for await (const [event] of on(emitter, 'event', { signal })) yield event as KagentEvent;
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
  };
}
