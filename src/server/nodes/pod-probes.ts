import { messageOf } from '../../shared/errors.ts';
import type { Clock } from '../../shared/clock.ts';
import { addressAt } from '../../shared/ipv4/ipv4.ts';
import type { Log } from '../../shared/log/log.ts';
import { PodProbeResults } from '../../shared/protocol/channel.ts';
import type { PodProbeResult, PodProbeTarget } from '../../shared/protocol/channel.ts';
import type { NodeObject } from './directory.ts';
import type { NodeSession } from './session.ts';

/** flannel on the other nodes hears of a new one first. */
const settleMs = 5000;
/** After a failure, which counts when it was so twice. */
const againMs = 10_000;
const restMs = 10 * 60 * 1000;
const mostAtOnce = 2;
const mostTargets = 8;

export interface PodProbesOptions {
  readonly sessions: () => readonly NodeSession[];
  readonly node: (name: string) => NodeObject | undefined;
  /** The server's own, which every node must reach: cluster DNS and kube-apiserver are there. */
  readonly ownNode: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is known of one session of a node. */
interface Known {
  readonly session: NodeSession;
  dueMs: number;
  round: number;
  isProbed: boolean;
  /** How often in a row, and what, by the other node's name. */
  readonly failures: Map<string, { times: number; readonly result: PodProbeResult }>;
}

/**
 * Has each node ask two others for an answer through the pods' network, in both directions: the server's own node and
 * one more, another one each time. After it has connected, then every ten minutes, so that a hundred nodes send some ten
 * small exchanges a minute between them all.
 */
export class PodProbes {
  readonly #options: PodProbesOptions;
  readonly #onResult: (nodeName: string) => void;
  readonly #byName = new Map<string, Known>();
  #running = 0;

  constructor(options: PodProbesOptions, onResult: (nodeName: string) => void) {
    this.#options = options;
    this.#onResult = onResult;
  }

  /** Those that can be asked. Not while flannel starts or is down, which has a condition of its own. */
  probed(): readonly NodeSession[] {
    return this.#options
      .sessions()
      .filter(
        ({ hello, heartbeat }) =>
          hello.probesPods === true &&
          heartbeat?.children.some(({ name, state }) => name === 'flanneld' && state === 'ready') === true,
      );
  }

  isProbed(session: NodeSession): boolean {
    return this.#known(session).isProbed;
  }

  /** Of a node: what failed more than once. */
  failures(session: NodeSession): readonly PodProbeResult[] {
    const { failures } = this.#known(session);
    return [...failures.values()].filter(({ times }) => times > 1).map(({ result }) => result);
  }

  /** Starts the probes that are due. */
  tick(): void {
    const { sessions, clock, log } = this.#options;
    const live = new Set(sessions().map((session) => this.#known(session).session.nodeName));
    for (const name of this.#byName.keys()) if (!live.has(name)) this.#byName.delete(name);
    const nowMs = clock.monotonicMs();
    const due = this.probed()
      .map((session) => this.#known(session))
      .filter(({ dueMs }) => dueMs <= nowMs)
      .toSorted((a, b) => a.dueMs - b.dueMs);
    for (const one of due.slice(0, Math.max(0, mostAtOnce - this.#running))) {
      this.#running += 1;
      this.#probe(one)
        .catch((error: unknown) => {
          one.dueMs = clock.monotonicMs() + againMs;
          log.debug('a node was not probed', { node: one.session.nodeName, error: messageOf(error) });
        })
        .finally(() => (this.#running -= 1));
    }
  }

  #known(session: NodeSession): Known {
    const before = this.#byName.get(session.nodeName);
    if (before?.session === session) return before;
    const dueMs = this.#options.clock.monotonicMs() + settleMs;
    const fresh = { session, dueMs, round: 0, isProbed: false, failures: new Map() };
    this.#byName.set(session.nodeName, fresh);
    return fresh;
  }

  #targetsOf({ session, round, failures }: Known): readonly PodProbeTarget[] {
    const { node, ownNode } = this.#options;
    const all = this.probed()
      .map(({ nodeName }) => nodeName)
      .toSorted();
    const others = [...all.slice(all.indexOf(session.nodeName) + 1), ...all.slice(0, all.indexOf(session.nodeName))];
    const wanted = new Set([ownNode, others[round % Math.max(1, others.length)], ...failures.keys()]);
    return others
      .filter((name) => wanted.has(name))
      .slice(0, mostTargets)
      .flatMap((nodeName) => {
        const [cidr] = node(nodeName)?.spec?.podCIDRs ?? [];
        return cidr === undefined ? [] : [{ nodeName, address: addressAt(cidr, 0) }];
      });
  }

  async #probe(one: Known): Promise<void> {
    const { clock } = this.#options;
    const { session, failures } = one;
    const targets = this.#targetsOf(one);
    one.dueMs = clock.monotonicMs() + (targets.length === 0 ? againMs : restMs);
    if (targets.length === 0) return;
    const results = PodProbeResults.parse(JSON.parse(await session.command({ kind: 'probe', targets: [...targets] })));
    const connected = new Set(this.probed().map(({ nodeName }) => nodeName));
    for (const result of results.filter(({ nodeName }) => connected.has(nodeName))) {
      if (result.answers && result.answersLarge) failures.delete(result.nodeName);
      else failures.set(result.nodeName, { times: (failures.get(result.nodeName)?.times ?? 0) + 1, result });
    }
    for (const name of failures.keys()) if (!connected.has(name)) failures.delete(name);
    one.isProbed = true;
    if (failures.size === 0) one.round += 1;
    else one.dueMs = clock.monotonicMs() + againMs;
    this.#onResult(session.nodeName);
  }
}
