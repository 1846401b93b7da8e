/**
 * @module
 * How kube-apiserver reaches kubelets and pods: HTTP CONNECT on a unix socket, and from there through the node's own
 * connection, so that a node needs no inbound port.
 * Knows: streams that wait for their agent. Leaves to others: websockets and TLS (api/), who is connected (nodes/), which
 * address is whose (identity/).
 * Spec: Kubernetes EgressSelectorConfiguration v1beta1 (`cluster`, HTTPConnect, uds); RFC 9110, 9.3.6.
 *
 *   kube-apiserver ──CONNECT──▶ here ──open──▶ agent ──dials kubelet or pod, then /v1/tunnel/<id>──▶ here: joined
 */
import { createServer, STATUS_CODES } from 'node:http';
import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Component } from '../../shared/component/component.ts';
import { conditionTracker } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import { plainLine } from '../../shared/plain-text/plain-text.ts';
import { dial, joinStreams } from '../../shared/streams/streams.ts';
import { listenPrivately } from '../../shared/listen/listen.ts';
import { AwaitedStreams } from './awaited-streams.ts';
import type { AgentLink } from './awaited-streams.ts';
import { routeTo, targetOf } from './route.ts';
import type { NodeAddressBook, RoutedNode, Target } from './route.ts';

export interface TunnelOptions {
  /** Where kube-apiserver asks. */
  readonly socketPath: string;
  /** Of kube-apiserver; undefined if it is root. */
  readonly group?: number | undefined;
  readonly nodes: () => readonly RoutedNode[];
  readonly addresses: NodeAddressBook;
  /** The session of an agent; undefined for one that is not connected. */
  readonly session: (nodeName: string) => AgentLink | undefined;
  /** The node on this box: its addresses are reached without a detour. */
  readonly ownNode: string | undefined;
  /** Programs of this server that listen on loopback alone: their port there; undefined for whatever else is asked for. */
  readonly here?: (target: Target) => number | undefined;
  readonly log: Log;
}

export interface Tunnel extends Component {
  /** An agent brings a stream it was asked for. @returns false for one that nobody waits for */
  accept(id: string, nodeName: string, stream: Duplex): boolean;
  /** An agent cannot reach what it was asked for. */
  failed(id: string, reason: string): void;
}

const dialWithinMs = 10_000;

export function createTunnel(options: TunnelOptions): Tunnel {
  const { socketPath, nodes, addresses, session, ownNode, here, log } = options;
  const condition = conditionTracker();
  const awaited = new AwaitedStreams();
  const open = new Set<Duplex>();
  let server: Server | undefined;

  const dial = (target: Target): Promise<Duplex> => {
    const route = routeTo(target, { nodes: nodes(), addresses });
    if (route === undefined) return direct(target);
    const link = route.nodeName === ownNode ? undefined : session(route.nodeName);
    // Of one that is not connected the port may be open.
    return link === undefined ? direct(route.target) : awaited.open(route.nodeName, link, route.target);
  };

  const onConnect = async (client: Duplex, authority: string): Promise<void> => {
    open.add(client);
    client.on('close', () => open.delete(client));
    client.on('error', () => {}); // its close says the same
    const asked = targetOf(authority);
    const ownPort = asked && here?.(asked);
    const target = ownPort === undefined ? asked : { host: '127.0.0.1', port: ownPort };
    if (target === undefined) return void client.end(`HTTP/1.1 400 ${STATUS_CODES[400]}\r\n\r\n`);
    try {
      const stream = await dial(target);
      if (client.destroyed) return void stream.destroy();
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      await joinStreams(client, stream);
    } catch (error) {
      log.debug('a stream was not opened', { target: authority, error });
      client.end(`HTTP/1.1 502 ${plainLine(messageOf(error))}\r\n\r\n`);
    }
  };

  return {
    name: 'tunnel',
    after: [],
    async start() {
      server = createServer((_request, response) => void response.writeHead(405).end());
      server.on('connect', ({ url = '' }, socket, head) => {
        if (head.length > 0) socket.unshift(head);
        void onConnect(socket, url);
      });
      await listenPrivately(server, socketPath, { group: options.group });
      condition.set('True', 'Listening', '');
    },
    async stop() {
      const stopped = server;
      server = undefined;
      for (const stream of open) stream.destroy();
      if (stopped === undefined) return;
      stopped.closeAllConnections();
      await new Promise<void>((resolve) => stopped.close(() => resolve()));
      condition.set('False', 'Stopped', '');
    },
    health: () => condition.current(),
    accept: (id, nodeName, stream) => awaited.accept(id, nodeName, stream),
    failed: (id, reason) => awaited.failed(id, reason),
  };
}

function direct(target: Target): Promise<Duplex> {
  return dial({ ...target, withinMs: dialWithinMs });
}

export type { RoutedNode } from './route.ts';
