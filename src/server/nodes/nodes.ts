/**
 * @module
 * The nodes that have joined: who is connected, what their last heartbeat said, what people are told of it.
 * Knows: sessions and their generations, Node conditions, events, a day of history.
 * Leaves to others: websockets (api/), streams (tunnel/), who may join (join/), pods (Kubernetes).
 *
 *   connect ─hello─▶ session n ─heartbeat─▶ conditions, history ─silence or close─▶ Connected=False after a grace time
 */
import { rfc3339, systemClock } from '../../shared/clock.ts';
import { conditionTracker } from '../../shared/component/component.ts';
import type { Component } from '../../shared/component/component.ts';
import { messageOf, remedyOf } from '../../shared/errors.ts';
import { closeCodes } from '../../shared/protocol/channel.ts';
import { untilStopped } from '../../shared/until-stopped.ts';
import { connect } from './connect.ts';
import { drainNode } from './drain.ts';
import { partsOf } from './parts.ts';
import { askPortsInUse, askVolume } from './requests.ts';
import type { Parts } from './parts.ts';
import { removeNode } from './removal.ts';
import type { Nodes, NodesOptions, NodeView } from './types.ts';

export function createNodes(options: NodesOptions): Nodes {
  const parts = partsOf({ ...options, clock: options.clock ?? systemClock });
  const { kube, registry, directory, history, stopping, log } = parts;
  return {
    ...lifeOf(parts),
    connect: (peer, link, hello) => connect(parts, { peer, link, hello }),
    session: (nodeName) => registry.session(nodeName),
    onStreamFailed: (listener) => parts.streamFailed.add(listener),
    nameClaimed: (attempt) => nameClaimed(parts, attempt),
    addressMoved: (moved) => addressMoved(parts, moved),
    all: () => viewsOf(parts),
    objects: () => directory.all(),
    onObjectChange: (listener) => directory.onChange(() => listener()),
    onGone: (listener) =>
      directory.onPresence(({ name, isThere }) => {
        if (!isThere) listener(name);
      }),
    makeVolume: (nodeName, volume) => askVolume(registry.session(nodeName), nodeName, 'make-volume', volume),
    removeVolume: (nodeName, volume) => askVolume(registry.session(nodeName), nodeName, 'remove-volume', volume),
    portsInUse: (nodeName, ports) => askPortsInUse(registry.session(nodeName), nodeName, ports),
    drain: (nodeName, request, signal) =>
      drainNode({ kube, nodeName, request, log }, AbortSignal.any([signal, stopping.signal])),
    history: (nodeName) => history.of(nodeName),
    remove: (nodeName, { force }) => removeNode(parts, nodeName, { force }),
  };
}

function lifeOf(parts: Parts): Component {
  const { kube, registry, directory, announcer, podNetwork, silence, history, connections, stopping, log } = parts;
  const condition = conditionTracker();
  let work = Promise.resolve();
  const isWell = () => condition.set('True', 'Watching', '');
  return {
    name: 'nodes',
    after: ['kube-apiserver'],
    async start() {
      registry.begin(await connections.recall());
      podNetwork.start();
      silence.start();
      work = untilStopped(
        (signal) => directory.follow(kube, isWell, signal),
        stopping.signal,
        (error) => {
          condition.set('False', 'RequestFailed', messageOf(error), remedyOf(error));
          log.debug('nodes are not watched', { error });
        },
      );
      isWell();
    },
    async stop() {
      stopping.abort();
      silence.stop();
      podNetwork.stop();
      await work;
      await announcer.stop();
      await history.flushAll().catch((error: unknown) => log.warn('node history not written', { error }));
    },
    health: () => (podNetwork.health().status === 'False' ? podNetwork.health() : condition.current()),
  };
}

function nameClaimed(parts: Parts, attempt: Parameters<Nodes['nameClaimed']>[0]): void {
  const { registry, announcer, nameClaims, heartbeats } = parts;
  const { nodeName, refusal } = attempt;
  announcer.event(nodeName, { type: 'Warning', reason: 'NameClaimed', message: nameClaims.add(attempt) });
  heartbeats.tellAgain(nodeName);
  if (refusal !== undefined) return;
  registry.session(nodeName)?.close(closeCodes.notJoined, 'another machine has the name of this node now');
}

function addressMoved(
  { announcer, addresses, log }: Parts,
  { address, from, to }: Parameters<Nodes['addressMoved']>[0],
): void {
  const message = `${address} was the address of ${from}, which is not connected, and is the address of ${to} now`;
  for (const name of [from, to]) announcer.event(name, { type: 'Warning', reason: 'AddressMoved', message });
  addresses.take(from, address);
  log.warn('an address has moved to another node', { address, from, to });
}

function viewsOf({ registry, directory }: Parts): readonly NodeView[] {
  const objects = directory.all().map((node) => node.metadata.name);
  const names = new Set([...objects, ...registry.sessions().map(({ nodeName }) => nodeName)]);
  return [...names].toSorted().map((name) => {
    const seenMs = registry.lastSeenMs(name);
    return {
      name,
      object: directory.get(name),
      session: registry.session(name),
      lastSeen: seenMs === undefined ? undefined : rfc3339(seenMs),
      hello: registry.hello(name),
    };
  });
}

export { NodeRegistry } from './registry.ts';
export type { Nodes, NodesOptions, NodeView, StreamFailed } from './types.ts';
export { NodeSession, type NodeLink } from './session.ts';
export type { NodeObject } from './directory.ts';
export { componentsDown, type NodeCondition } from './conditions.ts';
export {
  NodeCommandError,
  NodeIsServerError,
  NodeNotConnectedError,
  NodeStillReadyError,
  NodeUnknownError,
} from './errors.ts';
