/**
 * @module
 * The nodes that have joined: who is connected, what their last heartbeat said, what people are told of it.
 * Knows: sessions and their generations, Node conditions, events, a day of history.
 * Leaves to others: websockets (api/), streams (tunnel/), who may join (join/), pods (Kubernetes).
 *
 *   connect ─hello─▶ session n ─heartbeat─▶ conditions, history ─silence or close─▶ Connected=False after a grace time
 */
import { rfc3339, systemClock, type Clock } from '../../shared/clock.ts';
import type { Component } from '../../shared/component/component.ts';
import { conditionTracker } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import type { KeyValue } from '../../shared/key-value/key-value.ts';
import type { Log } from '../../shared/log/log.ts';
import {
  closeCodes,
  silenceMs,
  type Heartbeat,
  type Hello,
  type ServerAddress,
} from '../../shared/protocol/channel.ts';
import type { DrainRequest, DrainResponse } from '../../shared/protocol/drain.ts';
import type { HistoryEntry } from '../../shared/protocol/local.ts';
import type { NameAttempt, NodeIdentities, Peer } from '../identity/identity.ts';
import { untilStopped } from '../../shared/until-stopped.ts';
import { keepAddresses } from './addresses.ts';
import { createAnnouncer } from './announcer.ts';
import { conditionsOf, conditionsOfSilence } from './conditions.ts';
import { drainNode, reopenStarted } from './drain.ts';
import { NodeIsServerError, NodeStillReadyError, NodeUnknownError } from './errors.ts';
import { NodeDirectory, type NodeObject } from './directory.ts';
import { HeartbeatHistory } from './history.ts';
import { LastConnections } from './last-connections.ts';
import { NameClaims } from './name-claims.ts';
import { createPodNetwork } from './pod-network.ts';
import { exhaustedRanges, type PodRangePlan } from './pod-ranges.ts';
import { NodeSession, type NodeLink } from './session.ts';

export interface NodesOptions {
  readonly kube: KubeClient;
  readonly store: KeyValue;
  /** Every server of the cluster, for a node whose connection was accepted at this address. */
  readonly servers: (reachedAt: string | undefined) => readonly ServerAddress[];
  readonly identities: NodeIdentities;
  /** The server's own node, which is not removed from afar. */
  readonly ownNode: string | undefined;
  readonly onOpenFailed: (id: string, reason: string) => void;
  /** Undefined where nodes need no addresses of it for their pods: the network is somebody else's. */
  readonly podRanges?: PodRangePlan | undefined;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface Nodes extends Component {
  /** A node has said hello. @returns undefined if it was turned away; its link is closed then */
  connect(peer: Peer, link: NodeLink, hello: Hello): Promise<NodeSession | undefined>;
  /** The present connection of a node. */
  session(nodeName: string): NodeSession | undefined;
  /** When a node was heard last, as far as this server can know: not before its own start. Milliseconds since 1970. */
  heardAtMs(nodeName: string): { readonly isConnected: boolean; readonly ms: number };
  /** Another machine has asked for the name of a node, or got it. */
  nameClaimed(attempt: NameAttempt): void;
  /** The address of a node that is off is another one's now. */
  addressMoved(moved: { readonly address: string; readonly from: string; readonly to: string }): void;
  all(): readonly NodeView[];
  /** The nodes of the API, as the tunnel asks for their addresses. */
  objects(): readonly NodeObject[];
  /** Moves a node's pods away, before it stops. @throws {NodeUnknownError} */
  drain(nodeName: string, request: DrainRequest, signal: AbortSignal): Promise<DrainResponse>;
  history(nodeName: string): Promise<readonly HistoryEntry[]>;
  /**
   * Takes a node out of the cluster: its agent ends, its name is free.
   * @throws {NodeUnknownError} @throws {NodeIsServerError} @throws {NodeStillReadyError} unless `force`
   */
  remove(nodeName: string, options: { readonly force: boolean }): Promise<void>;
}

/** A node as people see it: what the API says and what its agent says. */
export interface NodeView {
  readonly name: string;
  readonly object: NodeObject | undefined;
  readonly session: NodeSession | undefined;
  /** RFC 3339. */
  readonly lastSeen: string | undefined;
  readonly hello: Hello | undefined;
}

/** An agent that lost its connection is back in a moment; only then is it worth a word. */
const graceMs = silenceMs;

export function createNodes(options: NodesOptions): Nodes {
  const { kube, store, servers, identities, ownNode, podRanges, log, clock = systemClock } = options;
  const condition = conditionTracker();
  const stopping = new AbortController();
  const sessions = new Map<string, NodeSession>();
  const lastSeenMs = new Map<string, number>();
  const hellos = new Map<string, Hello>();
  const directory: NodeDirectory = new NodeDirectory(
    (name) => {
      announcer.check(name);
      addresses.check(name);
      reopening.check(name);
    },
    (name, isThere) => {
      const noted = isThere ? identities.names.held(name) : identities.names.released(name);
      noted.catch((error: unknown) => log.warn('whose name it is was not noted', { node: name, error }));
    },
  );
  const announcer = createAnnouncer({ kube, directory, clock, log });
  const addresses = keepAddresses({
    kube,
    directory,
    helloOf: (name) => hellos.get(name),
    decided: identities.addresses,
    announcer,
    log,
  });
  const reopening = reopenStarted({ kube, directory, helloOf: (name) => hellos.get(name), log });
  const podNetwork = createPodNetwork({
    sessions: () => [...sessions.values()],
    node: (name) => directory.get(name),
    exhausted: () => (podRanges === undefined ? undefined : exhaustedRanges(podRanges, directory.all())),
    ownNode,
    onChange(name) {
      const heartbeat = sessions.get(name)?.heartbeat;
      if (heartbeat !== undefined) tell(name, heartbeat);
    },
    clock,
    log,
  });
  const history = new HeartbeatHistory(store, clock);
  const connections = new LastConnections(store, clock);
  const nameClaims = new NameClaims(clock);
  let startedAtMs = clock.now();
  let work = Promise.resolve();
  let watching: NodeJS.Timeout | undefined;

  const record = (done: Promise<void>): void => {
    done.catch((error: unknown) => log.debug('node history not written', { error }));
  };

  const tell = (nodeName: string, heartbeat: Heartbeat): void => {
    announcer.setConditions(nodeName, [
      ...conditionsOf(heartbeat, clock.now(), podNetwork.conditionOf(nodeName)),
      ...nameClaims.conditionOf(nodeName),
    ]);
  };

  const onHeartbeat = (nodeName: string, before: Heartbeat | undefined, heartbeat: Heartbeat): void => {
    lastSeenMs.set(nodeName, clock.now());
    tell(nodeName, heartbeat);
    const restarted = heartbeat.children.flatMap((child) => {
      const known = before?.children.find((one) => one.name === child.name);
      return known !== undefined && child.restarts > known.restarts ? [child] : [];
    });
    for (const { name, lastExit } of restarted) {
      const why = lastExit === undefined ? '' : ` after it ended (${lastExit})`;
      announcer.event(nodeName, {
        type: 'Warning',
        reason: 'ComponentRestarted',
        message: `${name} was started again${why}`,
      });
    }
    record(history.heartbeat(nodeName, heartbeat, restarted.length));
  };

  /** Nodes that nobody has heard of for a while; looked for now and then, so that a restart of the server finds them too. */
  const tellOfSilence = (): void => {
    for (const { metadata, status } of directory.all()) {
      if (sessions.has(metadata.name)) continue;
      // Not before the agents had time to come back to a server that has just started.
      const heardMs = Math.max(lastSeenMs.get(metadata.name) ?? 0, startedAtMs);
      if (clock.now() - heardMs < graceMs) continue;
      const types = (status?.conditions ?? []).map((one) => one.type);
      announcer.setConditions(metadata.name, [
        ...conditionsOfSilence('no connection from this node', types),
        ...nameClaims.conditionOf(metadata.name),
      ]);
    }
  };

  /** A session may outlive its machine for some seconds. */
  const live = () => [...sessions.values()].filter(({ heardAtMs }) => clock.now() - heardAtMs <= silenceMs / 2);

  const rejectDuplicate = (link: NodeLink, nodeName: string, hello: Hello): boolean => {
    const known = sessions.get(nodeName);
    if (known === undefined || known.hello.machineId === hello.machineId) return false;
    if (clock.now() - known.heardAtMs > silenceMs / 2) return false; // the other one is gone
    const message = `another machine (${hello.machineId}) connects with the identity of ${nodeName}: was its disk copied? Type 'kagent uninstall' on one of them`;
    announcer.event(nodeName, { type: 'Warning', reason: 'IdentityCopied', message });
    log.warn('a copy of a node connects', { node: nodeName, machine: hello.machineId });
    link.close(closeCodes.twin, 'another machine is connected with this identity');
    return true;
  };

  return {
    name: 'nodes',
    after: ['kube-apiserver'],
    async start() {
      startedAtMs = clock.now();
      for (const [name, ms] of await connections.recall()) if (!sessions.has(name)) lastSeenMs.set(name, ms);
      podNetwork.start();
      watching = setInterval(tellOfSilence, silenceMs / 3).unref();
      const isWell = () => condition.set('True', 'Watching', '');
      work = untilStopped(
        (signal) => directory.follow(kube, isWell, signal),
        stopping.signal,
        (error) => {
          condition.set('False', 'RequestFailed', messageOf(error));
          log.debug('nodes are not watched', { error });
        },
      );
      isWell();
    },
    async stop() {
      stopping.abort();
      clearInterval(watching);
      podNetwork.stop();
      await work;
      await announcer.stop();
      await history.flushAll().catch((error: unknown) => log.warn('node history not written', { error }));
    },
    health: () => (podNetwork.health().status === 'False' ? podNetwork.health() : condition.current()),

    async connect(peer, link, hello) {
      const { nodeName } = peer;
      if (!(await identities.names.isMember(peer))) {
        link.close(closeCodes.notJoined, 'this node is not part of the cluster');
        return undefined;
      }
      if (rejectDuplicate(link, nodeName, hello)) return undefined;
      const addressProblem = await addresses.settle(nodeName, hello, link.seenAs ?? '');
      const generation = await connections.next(nodeName);
      const older = sessions.get(nodeName);
      const session: NodeSession = new NodeSession({
        nodeName,
        link,
        hello,
        generation,
        addressProblem,
        clock,
        heartbeatBefore: older?.heartbeat,
        onHeartbeat: (heartbeat, before) => onHeartbeat(nodeName, before, heartbeat),
        onOpenFailed: options.onOpenFailed,
        onEnded() {
          if (sessions.get(nodeName) !== session) return; // a newer one has taken its place
          sessions.delete(nodeName);
          lastSeenMs.set(nodeName, session.heardAtMs);
          if (stopping.signal.aborted) return;
          log.info('node disconnected', { node: nodeName, session: generation });
          record(connections.write(nodeName, generation));
          record(history.flush(nodeName));
        },
      });
      sessions.set(nodeName, session);
      older?.close(closeCodes.replaced, 'a newer connection of this node');
      hellos.set(nodeName, hello);
      lastSeenMs.set(nodeName, clock.now());
      addresses.check(nodeName);
      reopening.check(nodeName);
      record(history.connected(nodeName));
      session.send({ type: 'welcome', session: generation, nowMs: clock.now(), servers: [...servers(link.reachedAt)] });
      log.info('node connected', { node: nodeName, session: generation, version: hello.version });
      return session;
    },
    session: (nodeName) => sessions.get(nodeName),
    heardAtMs: (nodeName) => ({
      isConnected: live().some((session) => session.nodeName === nodeName),
      ms: Math.max(lastSeenMs.get(nodeName) ?? 0, startedAtMs),
    }),
    nameClaimed(attempt) {
      const { nodeName, refusal } = attempt;
      const message = nameClaims.add(attempt);
      announcer.event(nodeName, { type: 'Warning', reason: 'NameClaimed', message });
      const session = sessions.get(nodeName);
      if (session?.heartbeat !== undefined) tell(nodeName, session.heartbeat);
      if (refusal === undefined) session?.close(closeCodes.notJoined, 'another machine has the name of this node now');
    },
    addressMoved({ address, from, to }) {
      const message = `${address} was the address of ${from}, which is not connected, and is the address of ${to} now`;
      for (const name of [from, to]) announcer.event(name, { type: 'Warning', reason: 'AddressMoved', message });
      addresses.take(from, address);
      log.warn('an address has moved to another node', { address, from, to });
    },
    all: () => {
      const names = new Set([...directory.all().map((node) => node.metadata.name), ...sessions.keys()]);
      return [...names].toSorted().map((name) => {
        const seenMs = sessions.has(name) ? sessions.get(name)?.heardAtMs : lastSeenMs.get(name);
        return {
          name,
          object: directory.get(name),
          session: sessions.get(name),
          lastSeen: seenMs === undefined ? undefined : rfc3339(seenMs),
          hello: hellos.get(name),
        };
      });
    },
    objects: () => directory.all(),
    async drain(nodeName, request, signal) {
      return await drainNode({ kube, nodeName, request, log }, AbortSignal.any([signal, stopping.signal]));
    },
    history: (nodeName) => history.of(nodeName),
    async remove(nodeName, { force }) {
      const session = sessions.get(nodeName);
      const object = directory.get(nodeName);
      const kept = (await store.list(nodePrefix(nodeName))).entries;
      if (session === undefined && object === undefined && kept.size === 0) throw new NodeUnknownError(nodeName);
      if (nodeName === ownNode) throw new NodeIsServerError(nodeName);
      if (!force && session !== undefined && isInUse(object)) throw new NodeStillReadyError(nodeName);
      await session?.command({ kind: 'leave' }).catch((error: unknown) => {
        log.warn('a removed node was not told', { node: nodeName, error });
      });
      session?.close(closeCodes.notJoined, 'this node was removed from the cluster');
      hellos.delete(nodeName);
      lastSeenMs.delete(nodeName);
      await history.flush(nodeName);
      await connections.forget(nodeName);
      await identities.forget(nodeName);
      if (object !== undefined) await kube.delete(`/api/v1/nodes/${nodeName}`);
      for (const key of (await store.list(nodePrefix(nodeName))).entries.keys()) await store.delete(key);
      log.info('node removed', { node: nodeName });
    },
  };
}

function nodePrefix(nodeName: string): string {
  return `/kagent/nodes/${nodeName}/`;
}

/** Ready, and pods may come to it. */
function isInUse(node: NodeObject | undefined): boolean {
  const isReady = node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  return isReady && node?.spec?.unschedulable !== true;
}

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
import type { KubeClient } from '../../kube/kube.ts';
