/**
 * What one server of several does for all of them: it has a Lease. Where there is one server alone, it leads, and nothing is
 * written.
 */
import { conditionTracker } from '../../shared/component/component.ts';
import type { Component, ConditionTracker } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import { Listeners } from '../../shared/listeners.ts';
import type { Log } from '../../shared/log/log.ts';
import { pause } from '../../shared/pause.ts';
import { Lease } from '../../kube/kube.ts';
import type { KubeClient } from '../../kube/kube.ts';

export interface Leadership {
  isLeading(): boolean;
  /** It has begun, or ended. */
  onChange(listener: (isLeading: boolean) => void): void;
}

export interface LeadershipTiming {
  /** So long a leader that is not heard of keeps its place. */
  readonly durationMs: number;
  /** So long it believes that it leads, without an answer: shorter, so that there are never two. */
  readonly deadlineMs: number;
  readonly renewMs: number;
  readonly retryMs: number;
}

const usualTiming: LeadershipTiming = { durationMs: 15_000, deadlineMs: 10_000, renewMs: 5000, retryMs: 2000 };

/** Of a server beside which there is no other. */
export const alwaysLeading: Leadership = { isLeading: () => true, onChange() {} };

export interface LeadershipOptions {
  readonly kube: Pick<KubeClient, 'find' | 'create' | 'mergePatch'>;
  /** Of this server. */
  readonly identity: string;
  readonly timing?: LeadershipTiming;
  readonly log: Log;
}

export function createLeadership(options: LeadershipOptions): Leadership & Component {
  const { timing = usualTiming } = options;
  const condition = conditionTracker();
  const place = new Place({ ...options, timing }, condition);
  const stopping = new AbortController();
  let work = Promise.resolve();
  return {
    name: 'leadership',
    after: ['kube-apiserver'],
    isLeading: () => place.isOurs,
    onChange: (listener) => place.changed.add(listener),
    async start() {
      condition.set('True', 'Asking', '');
      work = (async () => {
        while (!stopping.signal.aborted) {
          await place.attempt(stopping.signal);
          await pause(place.isOurs ? timing.renewMs : timing.retryMs, stopping.signal);
        }
      })();
    },
    async stop() {
      stopping.abort();
      await work;
      await place.leave();
      condition.set('False', 'Stopped', '');
    },
    health: () => condition.current(),
  };
}

class Place {
  readonly changed = new Listeners<boolean>();
  readonly #options: LeadershipOptions & { readonly timing: LeadershipTiming };
  readonly #condition: ConditionTracker;
  readonly #lease: Lease;
  isOurs = false;
  #heldAtMs = 0;

  constructor(options: LeadershipOptions & { readonly timing: LeadershipTiming }, condition: ConditionTracker) {
    const { kube, identity, timing } = options;
    this.#options = options;
    this.#condition = condition;
    this.#lease = new Lease({
      kube,
      namespace: 'kube-system',
      name: 'kagent',
      identity,
      durationMs: timing.durationMs,
    });
  }

  /** Never rejects. */
  async attempt(signal: AbortSignal): Promise<void> {
    const { identity, timing, log } = this.#options;
    const askedAtMs = performance.now();
    try {
      const holder = await this.#lease.hold(AbortSignal.any([signal, AbortSignal.timeout(timing.renewMs)]));
      if (holder === identity) this.#heldAtMs = askedAtMs;
      this.#set(holder === identity);
      if (this.isOurs) this.#condition.set('True', 'Leading', '');
      else if (holder !== '') this.#condition.set('True', 'Following', `${holder} leads`);
    } catch (error) {
      if (signal.aborted) return;
      log.debug('the lease was not renewed', { error });
      if (performance.now() - this.#heldAtMs > timing.deadlineMs) this.#set(false);
      if (!this.isOurs) this.#condition.set('False', 'RequestFailed', messageOf(error));
    }
  }

  /** The next one need not wait. */
  async leave(): Promise<void> {
    const { timing, log } = this.#options;
    if (!this.isOurs) return;
    this.#set(false);
    await this.#lease
      .release(AbortSignal.timeout(timing.retryMs))
      .catch((error: unknown) => log.debug('the lease was not given back', { error }));
  }

  #set(isOurs: boolean): void {
    if (isOurs === this.isOurs) return;
    this.isOurs = isOurs;
    this.#options.log.info(isOurs ? 'this server leads' : 'this server leads no more');
    this.changed.tell(isOurs);
  }
}

/** A component that runs on the server that leads, made anew each time it begins to. */
export function whileLeading(leadership: Leadership, make: () => Component, log: Log): Component {
  const { name, after } = make();
  const condition = conditionTracker();
  let starting = new AbortController();
  let running: Component | undefined;
  let last = Promise.resolve();
  let isStopped = false;
  const follow = (): void => {
    starting.abort();
    starting = new AbortController();
    const { signal } = starting;
    last = last.then(() => change(signal)).catch((error: unknown) => log.warn('not begun', { component: name, error }));
  };
  const change = async (signal: AbortSignal): Promise<void> => {
    const isWanted = leadership.isLeading() && !isStopped;
    if (isWanted === (running !== undefined)) return;
    const before = running;
    running = isWanted ? make() : undefined;
    await before?.stop();
    await running?.start(signal);
  };
  leadership.onChange(follow);
  return {
    name,
    after,
    async start() {
      condition.set('True', 'Following', 'the server that leads does it');
      follow();
    },
    async stop() {
      isStopped = true;
      follow();
      await last;
      condition.set('False', 'Stopped', '');
    },
    health: () => running?.health() ?? condition.current(),
  };
}
