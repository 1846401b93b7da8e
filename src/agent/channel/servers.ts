/** Connections to every server of the cluster: kube-apiserver of each reaches this node through its own. */
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import type { ConditionTracker } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import { pause } from '../../shared/pause.ts';
import { closeCodes } from '../../shared/protocol/channel.ts';
import type { ServerAddress } from '../../shared/protocol/channel.ts';
import { Connection } from './connection.ts';
import type { Ending, Welcomed } from './connection.ts';
import type { ChannelOptions } from './types.ts';

const firstWaitMs = 200;
const longestWaitMs = 15_000;
/** A connection that lived so long was a good one: the next failure waits little again. */
const goodAfterMs = 10_000;
/** So long none of several servers answers before they are looked for at every address that was ever heard of. */
const lostAfterMs = 15_000;

/** Where one server is tried, and when it is. */
interface Goal {
  readonly urls: () => readonly string[];
  readonly isWanted: () => boolean;
}

export class Servers {
  readonly #options: ChannelOptions;
  readonly #condition: ConditionTracker;
  readonly #clock: Clock;
  /** By name; of a server of an earlier version, which has none, the empty one. */
  readonly #connected = new Map<string, Connection>();
  /** Resolves when a connection has come up, or ended. */
  #change = Promise.withResolvers<void>();
  /** One for each server, where there are several. */
  readonly #kept = new Map<string, { readonly end: AbortController; urls: readonly string[] }>();
  readonly #work = new Set<Promise<void>>();
  #lastConnectedMs: number;
  #heard = '';

  constructor(options: ChannelOptions, condition: ConditionTracker) {
    this.#options = options;
    this.#condition = condition;
    this.#clock = options.clock ?? systemClock;
    this.#lastConnectedMs = this.#clock.monotonicMs();
  }

  /** Until `signal`. */
  async serve(signal: AbortSignal): Promise<void> {
    const anyone = { urls: () => this.#options.supervisorUrls(), isWanted: () => this.#isLost() };
    await this.#keep(anyone, signal);
    await Promise.all(this.#work);
  }

  heartbeatNow(): void {
    for (const connection of this.#connected.values()) connection.heartbeatNow();
  }

  /** No server is connected; where each of several is tried anyway, for a while. */
  #isLost(): boolean {
    if (this.#connected.size > 0) return false;
    return this.#kept.size === 0 || this.#clock.monotonicMs() - this.#lastConnectedMs > lostAfterMs;
  }

  async #keep({ urls, isWanted }: Goal, signal: AbortSignal): Promise<void> {
    for (let waitMs = firstWaitMs, attempt = 0; !signal.aborted; attempt++) {
      await this.#until(isWanted, signal);
      if (signal.aborted) return;
      const all = urls();
      const url = all[attempt % all.length] ?? '';
      const bornMs = this.#clock.monotonicMs();
      const ending = await this.#connect(url, signal);
      if (signal.aborted) return;
      if (this.#clock.monotonicMs() - bornMs >= goodAfterMs) waitMs = firstWaitMs;
      this.#tellOfEnd(url, ending);
      if (ending.code === closeCodes.notJoined) await this.#options.onNotJoined();
      // Full jitter: nodes that lost one server together do not come back together.
      await delay(Math.random() * waitMs, undefined, { signal }).catch(() => {}); // only the stop ends it early
      waitMs = Math.min(waitMs * 2, longestWaitMs);
    }
  }

  async #connect(url: string, signal: AbortSignal): Promise<Ending> {
    let name: string | undefined;
    let connection: Connection | undefined;
    try {
      connection = new Connection(url, {
        ...this.#options,
        onWelcome: (welcomed) => {
          if (connection === undefined || name !== undefined) return;
          name = welcomed.server ?? '';
          this.#connected.set(name, connection);
          this.#welcomed(url, welcomed, signal);
        },
        onServers: (servers) => this.#hear(servers, signal),
      });
      return await connection.ended(signal);
    } catch (error) {
      return { code: 0, reason: messageOf(error) }; // a certificate that cannot be read: it may be there again
    } finally {
      if (name !== undefined && this.#connected.get(name) === connection) this.#connected.delete(name);
      if (this.#connected.size === 0 && name !== undefined) this.#lastConnectedMs = this.#clock.monotonicMs();
      this.#tellChange();
    }
  }

  #welcomed(url: string, { servers }: Welcomed, signal: AbortSignal): void {
    this.#condition.set('True', 'Connected', '');
    this.#options.log.info('connected to the server', { url });
    this.#hear(servers, signal);
    this.#tellChange();
  }

  #tellOfEnd(url: string, { reason }: Ending): void {
    const { log } = this.#options;
    const isAlone = this.#connected.size === 0;
    if (isAlone && this.#condition.current().status !== 'False')
      log.warn('no connection to the server', { url, reason });
    if (isAlone) this.#condition.set('False', 'NotConnected', `${url}: ${reason}`);
    else this.#condition.set('True', 'Connected', `one server is not reached, ${url}: ${reason}`);
  }

  /** Every server tells of all of them, itself in front. */
  #hear(servers: readonly ServerAddress[], signal: AbortSignal): void {
    const urls = new Map<string, string[]>();
    for (const { name, supervisorUrl } of servers) {
      if (name !== undefined) urls.set(name, [...(urls.get(name) ?? []), supervisorUrl]);
    }
    for (const [name, { end }] of this.#kept) {
      if (urls.size > 1 && urls.has(name)) continue;
      end.abort();
      this.#kept.delete(name);
    }
    if (urls.size > 1) for (const [name, ofServer] of urls) this.#keepServer(name, ofServer, signal);
    const heard = JSON.stringify(servers.map((one) => JSON.stringify(one)).toSorted());
    if (heard === this.#heard) return;
    this.#heard = heard;
    this.#options.onServers(servers);
  }

  #keepServer(name: string, urls: readonly string[], signal: AbortSignal): void {
    const known = this.#kept.get(name);
    if (known !== undefined) {
      known.urls = urls;
      return;
    }
    const kept = { end: new AbortController(), urls };
    this.#kept.set(name, kept);
    const goal = { urls: () => kept.urls, isWanted: () => !this.#connected.has(name) };
    const work = this.#keep(goal, AbortSignal.any([signal, kept.end.signal])).finally(() => this.#work.delete(work));
    this.#work.add(work);
  }

  async #until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
    while (!isSo() && !signal.aborted) await Promise.race([this.#change.promise, pause(lostAfterMs, signal)]);
  }

  #tellChange(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}
