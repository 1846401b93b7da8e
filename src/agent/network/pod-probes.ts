import { randomUUID } from 'node:crypto';
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { conditionTracker } from '../../shared/component/component.ts';
import type { Component, ComponentName } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import { contains } from '../../shared/ipv4/ipv4.ts';
import type { Log } from '../../shared/log/log.ts';
import { bindUdp } from '../../host/probe/probe.ts';
import type { PodProbeResult, PodProbeTarget } from '../../shared/protocol/channel.ts';
import type { ClusterSettings } from '../../shared/protocol/join.ts';
import { PodProbesOffError } from './errors.ts';

/** In UDP, on flannel's device of each node; inside the pods' network, so that nothing has to be open between hosts for it. */
export const podProbePort = 9345;

const devices: Partial<Readonly<Record<ClusterSettings['flannelBackend'], string>>> = {
  vxlan: 'flannel.1',
  'wireguard-native': 'flannel-wg',
};
const ipUdpBytes = 28;
const smallBytes = 100;
const largestBytes = 9000;
const rounds = 3; // one lost packet says nothing
const roundMs = 500;
const ask = 'kagent-ask';
const answer = 'kagent-answer'; // is never answered itself

export interface PodProbesOptions {
  readonly after: readonly ComponentName[];
  readonly settings: () => ClusterSettings;
  readonly log: Log;
  /** 0: any free one. */
  readonly port?: number;
}

export interface PodProbes extends Component {
  /** Whether nodes of this cluster can be probed: flannel has a device with an address on each of them. */
  areOn(): boolean;
  /** Which of these nodes answer through the pods' network. @throws {PodProbesOffError} */
  probe(targets: readonly PodProbeTarget[]): Promise<readonly PodProbeResult[]>;
}

/** Answers probes of other nodes, and sends some when the server says so. An answer has passed in both directions. */
export function createPodProbes({ after, settings, log, port = podProbePort }: PodProbesOptions): PodProbes {
  const condition = conditionTracker();
  let responder: Socket | undefined;
  const areOn = () => devices[settings().flannelBackend] !== undefined;

  return {
    name: 'pod-probes',
    after,
    async start() {
      condition.set('True', areOn() ? 'Listening' : 'NotUsed', '');
      if (!areOn()) return;
      try {
        responder = await openResponder(port, settings().clusterCidr);
      } catch (error) {
        condition.set('False', 'PortTaken', `other nodes get no answer from this one: ${messageOf(error)}`);
        log.warn('probes of the pods’ network are not answered', { port, error });
      }
    },
    async stop() {
      responder?.close();
      responder = undefined;
    },
    health: () => condition.current(),
    areOn,
    async probe(targets) {
      const device = devices[settings().flannelBackend];
      if (device === undefined) throw new PodProbesOffError(settings().flannelBackend);
      const results = await probeAll(targets, mtuOf(device), port);
      const message = results.flatMap(sentenceOf).join('; ');
      if (message !== '') condition.set('False', 'PodNetworkUnreachable', message);
      else if (responder !== undefined) condition.set('True', 'Answered', '');
      return results;
    },
  };
}

async function openResponder(port: number, clusterCidr: string): Promise<Socket> {
  const socket = await bindUdp(port);
  socket.on('message', (message, { address, port: back }) => {
    if (!contains(clusterCidr, address) || message.toString('latin1', 0, ask.length) !== ask) return;
    const [, id = ''] = message.toString('latin1', 0, smallBytes).split(' ');
    socket.send(textOf(answer, id, message.length), back, address, () => {}); // what does not come is what counts
  });
  socket.on('error', () => {}); // an ICMP answer to a packet of ours
  return socket;
}

async function probeAll(
  targets: readonly PodProbeTarget[],
  mtu: number,
  port: number,
): Promise<readonly PodProbeResult[]> {
  const sizes = [smallBytes, Math.min(mtu, largestBytes) - ipUdpBytes];
  const waiting = new Map(targets.flatMap((target) => sizes.map((size) => [randomUUID() as string, { target, size }])));
  const socket = createSocket('udp4').unref();
  socket.on('message', (message) => {
    const [word, id = ''] = message.toString('latin1', 0, smallBytes).split(' ');
    if (word === answer && waiting.get(id)?.size === message.length) waiting.delete(id);
  });
  socket.on('error', () => {}); // no route to one of them: it does not answer
  try {
    for (let round = 0; round < rounds && waiting.size > 0; round++) {
      for (const [id, { target, size }] of waiting) socket.send(textOf(ask, id, size), port, target.address, () => {});
      for (let waitedMs = 0; waitedMs < roundMs && waiting.size > 0; waitedMs += 20) await delay(20);
    }
  } finally {
    socket.close();
  }
  const unanswered = [...waiting.values()];
  const isLost = (target: PodProbeTarget, size: number | undefined) =>
    unanswered.some((one) => one.target === target && one.size === size);
  return targets.map((target) => ({
    nodeName: target.nodeName,
    answers: !isLost(target, sizes[0]),
    answersLarge: !isLost(target, sizes[1]),
    largeBytes: (sizes[1] ?? 0) + ipUdpBytes,
  }));
}

function textOf(word: string, id: string, size: number): Buffer {
  const data = Buffer.alloc(size);
  data.write(`${word} ${id} `);
  return data;
}

function sentenceOf({ nodeName, answers, answersLarge, largeBytes }: PodProbeResult): readonly string[] {
  if (!answers) return [`${nodeName} does not answer through the pods’ network`];
  return answersLarge ? [] : [`packets of ${largeBytes} bytes do not pass to ${nodeName} and back, small ones do`];
}

function mtuOf(device: string): number {
  try {
    return Number(readFileSync(`/sys/class/net/${device}/mtu`, 'utf8'));
  } catch {
    return 1450; // flanneld has not made it yet: nothing will be answered
  }
}
