import { pause } from '../../shared/pause.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Log } from '../../shared/log/log.ts';
import { isNotFound, wholeSeconds } from '../../kube/kube.ts';
import type { KubeClient } from '../../kube/kube.ts';
import type { NodeCondition } from './conditions.ts';
import type { NodeDirectory } from './directory.ts';

const retryMs = 2000;
/** A node whose state changes with each of its heartbeats is written down once in so long: the first change at once. */
const writeEveryMs = 1000;

export interface ConditionWriterOptions {
  readonly kube: KubeClient;
  readonly directory: NodeDirectory;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Writes into each Node the conditions that it should have and has not. */
export class ConditionWriter {
  readonly #options: ConditionWriterOptions;
  readonly #wanted = new Map<string, readonly NodeCondition[]>();
  readonly #working = new Map<string, Promise<void>>();
  readonly #askedAgain = new Set<string>();

  constructor(options: ConditionWriterOptions) {
    this.#options = options;
  }

  /** @returns those that were wanted before */
  set(nodeName: string, conditions: readonly NodeCondition[]): readonly NodeCondition[] {
    const before = this.#wanted.get(nodeName) ?? [];
    this.#wanted.set(nodeName, conditions);
    return before;
  }

  /** One write a node at a time, and then a rest; the watch tells of its result, which checks again. */
  check(nodeName: string): void {
    const { signal } = this.#options;
    if (this.#working.has(nodeName)) return void this.#askedAgain.add(nodeName);
    if (signal.aborted || this.#missing(nodeName).length === 0) return;
    const rest = pause(writeEveryMs, signal);
    const done = Promise.all([this.#write(nodeName), rest]).then(() => {
      this.#working.delete(nodeName);
      if (this.#askedAgain.delete(nodeName)) this.check(nodeName);
    });
    this.#working.set(nodeName, done);
  }

  /** Resolves when no write is on its way. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#working.values());
  }

  /** The conditions to write now; none where the API has them, or has no such Node. */
  #missing(nodeName: string) {
    const { directory, clock } = this.#options;
    const node = directory.get(nodeName);
    if (node === undefined) return [];
    const known = new Map((node.status?.conditions ?? []).map((condition) => [condition.type, condition]));
    return (this.#wanted.get(nodeName) ?? []).flatMap((condition) => {
      const before = known.get(condition.type);
      const { status, reason, message } = condition;
      if (before?.status === status && before.reason === reason && before.message === message) return [];
      const now = wholeSeconds(clock);
      const lastTransitionTime = before?.status === status ? (before.lastTransitionTime ?? now) : now;
      return [{ ...condition, lastHeartbeatTime: now, lastTransitionTime }];
    });
  }

  async #write(nodeName: string): Promise<void> {
    const { kube, log, signal } = this.#options;
    const conditions = this.#missing(nodeName);
    if (conditions.length === 0) return;
    try {
      await kube.strategicPatch(`/api/v1/nodes/${nodeName}/status`, { status: { conditions } }, signal);
    } catch (error) {
      if (signal.aborted || isNotFound(error)) return; // its deletion will be seen
      log.debug('node conditions not written', { node: nodeName, error });
      setTimeout(() => this.check(nodeName), retryMs).unref();
    }
  }
}
