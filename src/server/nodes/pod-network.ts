import { conditionTracker, type Condition } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import type { Clock } from '../../shared/clock.ts';
import { Listeners } from '../../shared/listeners.ts';
import { addressAt } from '../../shared/ipv4/ipv4.ts';
import type { Log } from '../../shared/log/log.ts';
import { PodProbeResults, type PodProbeResult, type PodProbeTarget } from '../../shared/protocol/channel.ts';
import { podNetworkType, type NodeCondition } from './conditions.ts';
import type { NodeObject } from './directory.ts';
import { rangeCondition } from './pod-ranges.ts';
import type { NodeSession } from './session.ts';

const tickMs = 5000;
/** flannel on the other nodes hears of a new one first. */
const settleMs = 5000;
/** After a failure, which counts when it was so twice. */
const againMs = 10_000;
const restMs = 10 * 60 * 1000;
const mostAtOnce = 2;
const type = podNetworkType;

export interface PodNetworkOptions {
  readonly sessions: () => readonly NodeSession[];
  readonly node: (name: string) => NodeObject | undefined;
  /** Why some nodes have no pod addresses, if there are such nodes. */
  readonly exhausted?: () => string | undefined;
  /** The server's own, which every node must reach: cluster DNS and kube-apiserver are there. */
  readonly ownNode: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface PodNetwork {
  start(): void;
  stop(): void;
  /** What is known of a node has changed. */
  onChange(listener: (nodeName: string) => void): void;
  /** Of a node that speaks; none for one that is not probed. */
  conditionOf(nodeName: string): NodeCondition | undefined;
  /** Sentences, each with the nodes it is about. */
  problems(): readonly string[];
  /** `False` while there are problems. */
  health(): Condition;
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
 * small exchanges a minute between them all. And looks for nodes that have one address.
 */
export function createPodNetwork(options: PodNetworkOptions): PodNetwork {
  const { sessions, node, exhausted = () => undefined, ownNode, clock, log } = options;
  const changed = new Listeners<string>();
  const byName = new Map<string, Known>();
  const condition = conditionTracker();
  let timer: NodeJS.Timeout | undefined;
  let running = 0;

  const known = (session: NodeSession): Known => {
    const before = byName.get(session.nodeName);
    if (before?.session === session) return before;
    const dueMs = clock.monotonicMs() + settleMs;
    const fresh = { session, dueMs, round: 0, isProbed: false, failures: new Map() };
    byName.set(session.nodeName, fresh);
    return fresh;
  };
  /** Not while flannel starts or is down, which has a condition of its own. */
  const probed = () =>
    sessions().filter(
      ({ hello, heartbeat }) =>
        hello.probesPods === true &&
        heartbeat?.children.some(({ name, state }) => name === 'flanneld' && state === 'ready') === true,
    );

  const targetsOf = ({ session, round, failures }: Known): readonly PodProbeTarget[] => {
    const all = probed()
      .map(({ nodeName }) => nodeName)
      .toSorted();
    const others = [...all.slice(all.indexOf(session.nodeName) + 1), ...all.slice(0, all.indexOf(session.nodeName))];
    const wanted = new Set([ownNode, others[round % Math.max(1, others.length)], ...failures.keys()]);
    return others
      .filter((name) => wanted.has(name))
      .slice(0, 8)
      .flatMap((nodeName) => {
        const [cidr] = node(nodeName)?.spec?.podCIDRs ?? [];
        return cidr === undefined ? [] : [{ nodeName, address: addressAt(cidr, 0) }];
      });
  };

  const probe = async (one: Known): Promise<void> => {
    const { session, failures } = one;
    const targets = targetsOf(one);
    one.dueMs = clock.monotonicMs() + (targets.length === 0 ? againMs : restMs);
    if (targets.length === 0) return;
    const results = PodProbeResults.parse(JSON.parse(await session.command({ kind: 'probe', targets: [...targets] })));
    const connected = new Set(probed().map(({ nodeName }) => nodeName));
    for (const result of results.filter(({ nodeName }) => connected.has(nodeName))) {
      if (result.answers && result.answersLarge) failures.delete(result.nodeName);
      else failures.set(result.nodeName, { times: (failures.get(result.nodeName)?.times ?? 0) + 1, result });
    }
    for (const name of failures.keys()) if (!connected.has(name)) failures.delete(name);
    one.isProbed = true;
    if (failures.size === 0) one.round += 1;
    else one.dueMs = clock.monotonicMs() + againMs;
    report();
    changed.tell(session.nodeName);
  };

  const tick = (): void => {
    for (const session of sessions()) known(session);
    const live = new Set(sessions().map(({ nodeName }) => nodeName));
    for (const name of byName.keys()) if (!live.has(name)) byName.delete(name);
    const nowMs = clock.monotonicMs();
    const due = probed()
      .map(known)
      .filter(({ dueMs }) => dueMs <= nowMs)
      .toSorted((a, b) => a.dueMs - b.dueMs);
    for (const one of due.slice(0, Math.max(0, mostAtOnce - running))) {
      running += 1;
      probe(one)
        .catch((error: unknown) => {
          one.dueMs = clock.monotonicMs() + againMs;
          log.debug('a node was not probed', { node: one.session.nodeName, error: messageOf(error) });
        })
        .finally(() => (running -= 1));
    }
  };

  const counted = (one: Known): readonly PodProbeResult[] =>
    [...one.failures.values()].filter(({ times }) => times > 1).map(({ result }) => result);
  const sentences = (one: Known): readonly string[] => counted(one).map((result) => sentenceOf(one, result));

  /** An answer has to pass in both directions: which of them is closed is not known, and the sentence is the same from either side. */
  const sentenceOf = ({ session }: Known, { nodeName, answers, largeBytes }: PodProbeResult): string => {
    const [a = '', b = ''] = [session.nodeName, nodeName].toSorted();
    if (answers)
      return `packets of ${largeBytes} bytes of pods do not pass between ${a} and ${b}, small ones do: the MTU between the two is smaller than that of their interfaces; lower it on both (ip link set INTERFACE mtu N), or raise what lies between`;
    const said = `${a} and ${b} do not reach each other through the pods’ network`;
    const at = (name: string) => node(name)?.status?.addresses?.find((one) => one.type === 'InternalIP')?.address;
    const other = a === ownNode ? b : a;
    const reachedAt = sessions().find((one) => one.nodeName === other)?.reachedAt;
    if ([a, b].includes(ownNode ?? '') && reachedAt !== undefined && reachedAt !== at(ownNode ?? ''))
      return `${said}: ${other} reaches this server by ${reachedAt}, and the address of ${ownNode} is ${at(ownNode ?? '')}; start the server with --node-ip ${reachedAt}`;
    return `${said}: let UDP 8472 (wireguard-native: 51820), and what comes out of it from the pods’ range, through between ${at(a) ?? a} and ${at(b) ?? b}`;
  };

  const problems = (): readonly string[] => {
    const all = sessions().flatMap((session) => {
      const { addressProblem } = session;
      return addressProblem === undefined ? sentences(known(session)) : [addressProblem];
    });
    return [...new Set([...all, ...[exhausted()].filter((one) => one !== undefined)])];
  };

  const report = (): void => {
    const all = problems();
    if (all.length > 0) condition.set('False', 'PodNetworkUnreachable', all.join('; '));
    else condition.set('True', 'Reachable', '');
  };

  return {
    start() {
      timer = setInterval(() => {
        tick();
        report();
      }, tickMs).unref();
    },
    stop: () => clearInterval(timer),
    onChange: (listener) => changed.add(listener),
    conditionOf(nodeName) {
      const session = sessions().find((one) => one.nodeName === nodeName);
      if (session === undefined) return undefined;
      const { addressProblem } = session;
      if (addressProblem !== undefined)
        return { type, status: 'False', reason: 'AddressRefused', message: addressProblem };
      const lacksRange = rangeCondition(node(nodeName), exhausted);
      if (lacksRange !== undefined) return lacksRange;
      if (session.hello.probesPods !== true) return undefined;
      const one = known(session);
      const said = sentences(one);
      if (said.length > 0) {
        const isMtu = counted(one).every(({ answers }) => answers);
        return { type, status: 'False', reason: isMtu ? 'PacketsTooLarge' : 'NoAnswer', message: said.join('; ') };
      }
      const isAlone = !probed().some((other) => other !== session);
      if (!one.isProbed && isAlone)
        return { type, status: 'Unknown', reason: 'NoOtherNode', message: 'there is no other node to ask' };
      if (!one.isProbed) return { type, status: 'Unknown', reason: 'NotProbed', message: '' };
      return {
        type,
        status: 'True',
        reason: 'ProbesAnswered',
        message: 'other nodes answer through the pods’ network',
      };
    },
    problems,
    health: () => condition.current(),
  };
}
