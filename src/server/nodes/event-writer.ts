import type { Clock } from '../../shared/clock.ts';
import type { Log } from '../../shared/log/log.ts';
import { Rate } from '../../shared/rate/rate.ts';
import { uniqueName, writeEvent } from '../../kube/kube.ts';
import type { EventFacts, KubeClient } from '../../kube/kube.ts';

/** The same sentence is not told again within this time. */
const repeatMs = 60_000;
const toldKept = 1000;
/** Events of one node: some at once, then one in ten seconds. More than that nobody reads, and the datastore keeps them all. */
const eventRate = { burst: 25, perSecond: 0.1 };

export interface EventWriterOptions {
  readonly kube: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Writes the events of nodes: neither the same again and again, nor too many. */
export class EventWriter {
  readonly #options: EventWriterOptions;
  readonly #rate: Rate;
  /** When each sentence was told, the newest last. */
  readonly #told = new Map<string, number>();

  constructor(options: EventWriterOptions) {
    this.#options = options;
    this.#rate = new Rate(eventRate, options.clock);
  }

  write(nodeName: string, event: EventFacts): void {
    const { clock } = this.#options;
    const key = `${nodeName} ${event.reason} ${event.message}`;
    const nowMs = clock.monotonicMs();
    if ((this.#told.get(key) ?? -repeatMs) + repeatMs > nowMs) return;
    if (!this.#rate.take(nodeName)) return;
    this.#keep(key, nowMs);
    writeEvent(this.#options, {
      facts: event,
      involvedObject: { kind: 'Node', name: nodeName, uid: nodeName },
      name: uniqueName(nodeName),
      namespace: 'default',
      host: nodeName,
      clock,
    });
  }

  #keep(key: string, nowMs: number): void {
    this.#told.delete(key);
    this.#told.set(key, nowMs);
    const [oldest] = this.#told.keys();
    if (this.#told.size > toldKept && oldest !== undefined) this.#told.delete(oldest);
  }
}
