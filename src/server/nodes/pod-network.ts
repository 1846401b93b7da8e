import { conditionTracker } from '../../shared/component/component.ts';
import type { Condition } from '../../shared/component/component.ts';
import { Listeners } from '../../shared/listeners.ts';
import type { Leadership } from '../cluster/cluster.ts';
import type { PodProbeResult } from '../../shared/protocol/channel.ts';
import { podNetworkType } from './conditions.ts';
import type { NodeCondition } from './conditions.ts';
import { PodProbes } from './pod-probes.ts';
import type { PodProbesOptions } from './pod-probes.ts';
import { rangeCondition } from './pod-ranges.ts';
import type { NodeSession } from './session.ts';

const tickMs = 5000;
const type = podNetworkType;

export interface PodNetworkOptions extends PodProbesOptions {
  readonly leadership: Pick<Leadership, 'isLeading'>;
  /** Why some nodes have no pod addresses, if there are such nodes. */
  readonly exhausted?: () => string | undefined;
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

/** What the probes have shown, in conditions and sentences. And looks for nodes that have one address. */
export function createPodNetwork(options: PodNetworkOptions): PodNetwork {
  const { sessions, node, leadership, exhausted = () => undefined } = options;
  const changed = new Listeners<string>();
  const condition = conditionTracker();
  let timer: NodeJS.Timeout | undefined;

  const problems = (): readonly string[] => {
    const all = sessions().flatMap((session) => {
      const { addressProblem } = session;
      return addressProblem === undefined ? sentencesOf(session, probes, options) : [addressProblem];
    });
    return [...new Set([...all, ...[exhausted()].filter((one) => one !== undefined)])];
  };
  const report = (): void => {
    const all = problems();
    if (all.length > 0) condition.set('False', 'PodNetworkUnreachable', all.join('; '));
    else condition.set('True', 'Reachable', '');
  };
  const probes = new PodProbes(options, (nodeName) => {
    report();
    changed.tell(nodeName);
  });

  return {
    start() {
      timer = setInterval(() => {
        if (leadership.isLeading()) probes.tick();
        report();
      }, tickMs).unref();
    },
    stop: () => clearInterval(timer),
    onChange: (listener) => changed.add(listener),
    conditionOf(nodeName) {
      const session = sessions().find((one) => one.nodeName === nodeName);
      if (session === undefined) return undefined;
      const { addressProblem: message } = session;
      if (message !== undefined) return { type, status: 'False', reason: 'AddressRefused', message };
      return rangeCondition(node(nodeName), exhausted) ?? probedCondition(session, probes, options);
    },
    problems,
    health: () => condition.current(),
  };
}

/** None for a node of a version that cannot be asked. */
function probedCondition(
  session: NodeSession,
  probes: PodProbes,
  options: PodNetworkOptions,
): NodeCondition | undefined {
  if (session.hello.probesPods !== true) return undefined;
  const said = sentencesOf(session, probes, options);
  if (said.length > 0) {
    const isMtu = probes.failures(session).every(({ answers }) => answers);
    return { type, status: 'False', reason: isMtu ? 'PacketsTooLarge' : 'NoAnswer', message: said.join('; ') };
  }
  if (probes.isProbed(session)) {
    const message = 'other nodes answer through the pods’ network';
    return { type, status: 'True', reason: 'ProbesAnswered', message };
  }
  const isAlone = !probes.probed().some((other) => other !== session);
  if (isAlone) return { type, status: 'Unknown', reason: 'NoOtherNode', message: 'there is no other node to ask' };
  return { type, status: 'Unknown', reason: 'NotProbed', message: '' };
}

function sentencesOf(session: NodeSession, probes: PodProbes, options: PodNetworkOptions): readonly string[] {
  return probes.failures(session).map((result) => sentenceOf(session, result, options));
}

/** An answer has to pass in both directions: which of them is closed is not known, and the sentence is the same from either side. */
function sentenceOf(
  session: NodeSession,
  { nodeName, answers, largeBytes }: PodProbeResult,
  { sessions, node, ownNode }: PodNetworkOptions,
): string {
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
}
