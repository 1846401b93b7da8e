import type { Clock } from '../../shared/clock.ts';
import type { Component } from '../../shared/component/component.ts';
import type { KeyValue } from '../../shared/key-value/key-value.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Hello, HostPort, HostPortOwner, VolumeFolder } from '../../shared/protocol/channel.ts';
import type { DrainRequest, DrainResponse } from '../../shared/protocol/drain.ts';
import type { HistoryEntry } from '../../shared/protocol/local.ts';
import type { KubeClient } from '../../kube/kube.ts';
import type { NameAttempt, NodeIdentities, Peer } from '../identity/identity.ts';
import type { NodeObject } from './directory.ts';
import type { PodRangePlan } from './pod-ranges.ts';
import type { NodeRegistry } from './registry.ts';
import type { NodeLink, NodeSession } from './session.ts';
import type { Leadership, ServerDirectory } from '../cluster/cluster.ts';

export interface NodesOptions {
  readonly kube: KubeClient;
  readonly store: KeyValue;
  /** Every server of the cluster, for a node whose connection was accepted at this address. */
  readonly servers: ServerDirectory;
  /** What is known of connections; identities are decided by it too. */
  readonly registry: NodeRegistry;
  readonly identities: NodeIdentities;
  /** The server's own node, which is not removed from afar. */
  readonly ownNode: string | undefined;
  /** Of several servers one writes what is so about nodes, and has them probe each other. */
  readonly leadership: Leadership;
  /** Undefined where nodes need no addresses of it for their pods: the network is somebody else's. */
  readonly podRanges?: PodRangePlan | undefined;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface Nodes extends Component {
  /** A node has said hello. @returns undefined if it was rejected; its link is closed then */
  connect(peer: Peer, link: NodeLink, hello: Hello): Promise<NodeSession | undefined>;
  /** The present connection of a node. */
  session(nodeName: string): NodeSession | undefined;
  /** A node was asked to open a stream, and could not. */
  onStreamFailed(listener: (failed: StreamFailed) => void): void;
  /** Another machine has asked for the name of a node, or got it. */
  nameClaimed(attempt: NameAttempt): void;
  /** The address of a node that is off is another one's now. */
  addressMoved(moved: { readonly address: string; readonly from: string; readonly to: string }): void;
  all(): readonly NodeView[];
  /** The nodes of the API, as the tunnel asks for their addresses. */
  objects(): readonly NodeObject[];
  /** One of them has changed, came or went. */
  onObjectChange(listener: () => void): void;
  /** The Node of this name was deleted. */
  onGone(listener: (nodeName: string) => void): void;
  /**
   * Who has these ports on that node. Undefined for a node that cannot be asked: an agent of an earlier version.
   * @throws {NodeNotConnectedError} @throws {NodeCommandError}
   */
  portsInUse(nodeName: string, ports: readonly HostPort[]): Promise<readonly HostPortOwner[] | undefined>;
  /** Makes the folder of a volume on that node; one that is there is no error. @throws {NodeNotConnectedError} @throws {NodeCommandError} */
  makeVolume(nodeName: string, volume: VolumeFolder): Promise<void>;
  /** Removes it; one that is gone is no error. @throws {NodeNotConnectedError} @throws {NodeCommandError} */
  removeVolume(nodeName: string, volume: VolumeFolder): Promise<void>;
  /** Moves a node's pods away, before it stops. @throws {NodeUnknownError} */
  drain(nodeName: string, request: DrainRequest, signal: AbortSignal): Promise<DrainResponse>;
  history(nodeName: string): Promise<readonly HistoryEntry[]>;
  /**
   * Takes a node out of the cluster: its agent ends, its name is free.
   * @throws {NodeUnknownError} @throws {NodeIsServerError} @throws {NodeStillReadyError} unless `force`
   */
  remove(nodeName: string, options: { readonly force: boolean }): Promise<void>;
}

export interface StreamFailed {
  readonly id: string;
  readonly reason: string;
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
