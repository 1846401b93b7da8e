import { STATUS_CODES } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import type { Log } from '../../shared/log/log.ts';
import {
  channelPath,
  channelProtocol,
  closeCodes,
  FromAgent,
  maxMessageBytes,
  readMessage,
  silenceMs,
  tunnelPathPrefix,
  tunnelProtocol,
} from '../../shared/protocol/channel.ts';
import { Rate } from '../../shared/rate/rate.ts';
import type { Peer } from '../identity/identity.ts';
import type { JoinService } from '../join/join.ts';
import type { Nodes, NodeSession } from '../nodes/nodes.ts';
import type { Tunnel } from '../tunnel/tunnel.ts';
import { Flow } from './flow.ts';
import { peerNode, plainAddress } from './peer.ts';
import { Shares } from './shares.ts';

export interface Upgrades {
  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Ends every websocket and stream. */
  close(): void;
}

const closeWithinMs = 1000;
/** Of one node at once: the present one, one that takes its place, and one that lingers. */
const mostChannels = 4;
/** Each is a line in the log and two writes; an agent that finds no rest waits longer and longer. */
const channelRate = { burst: 20, perSecond: 1 };

/** What a node has connected for: its channel, or a stream it was asked to bring. Nobody else gets so far. */
export function createUpgrades(options: {
  readonly nodes: Pick<Nodes, 'connect'>;
  readonly tunnel: Pick<Tunnel, 'accept'>;
  readonly joinService: Pick<JoinService, 'authenticate'>;
  readonly log: Log;
}): Upgrades {
  const { nodes, tunnel, joinService, log } = options;
  const sockets = new Set<Duplex>();
  const channels = new Shares<Duplex>();
  const rate = new Rate(channelRate);
  const websockets = new WebSocketServer({
    noServer: true,
    maxPayload: maxMessageBytes,
    perMessageDeflate: false, // heartbeats are small, and memory for it is not
    handleProtocols: (offered) => (offered.has(channelProtocol) ? channelProtocol : false),
  });
  return {
    handle(request, socket, head) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', (error) => log.debug('a connection of a node failed', { error }));
      const peer = peerNode(socket);
      const path = (request.url ?? '').split('?', 1).join('');
      if (peer === undefined) return refuse(socket, 401);
      const { nodeName } = peer;
      request.socket.setTimeout(0); // a stream may be silent for long; a channel has deadlines of its own
      if (path === channelPath) {
        if (channels.of(nodeName) >= mostChannels || !rate.take(nodeName)) return refuse(socket, 429);
        channels.add(nodeName, socket);
        socket.on('close', () => channels.delete(nodeName, socket));
        websockets.handleUpgrade(
          request,
          socket,
          head,
          (link) => serveChannel(link, { peer, ...addressesOf(request), nodes, log }), // who is no member is told so by its close code
        );
        return;
      }
      if (!path.startsWith(tunnelPathPrefix) || request.headers.upgrade !== tunnelProtocol) return refuse(socket, 404);
      const id = path.slice(tunnelPathPrefix.length);
      joinService.authenticate({ ...peer, address: addressesOf(request).seenAs }).then(
        () => {
          if (head.length > 0) socket.unshift(head);
          socket.write(
            `HTTP/1.1 101 ${STATUS_CODES[101]}\r\nConnection: Upgrade\r\nUpgrade: ${tunnelProtocol}\r\n\r\n`,
          );
          if (!tunnel.accept(id, peer.nodeName, socket)) socket.destroy();
        },
        () => refuse(socket, 403),
      );
    },
    close() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function refuse(socket: Duplex, status: number): void {
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** Both ends of a connection. */
function addressesOf({ socket }: IncomingMessage): { readonly reachedAt: string; readonly seenAs: string } {
  return { reachedAt: plainAddress(socket.localAddress), seenAs: plainAddress(socket.remoteAddress) };
}

/** The first message is the hello; while its answer is being made nothing more is read. */
function serveChannel(
  link: WebSocket,
  options: {
    readonly peer: Peer;
    readonly reachedAt: string;
    readonly seenAs: string;
    readonly nodes: Pick<Nodes, 'connect'>;
    readonly log: Log;
  },
): void {
  const { peer, reachedAt, seenAs, nodes, log } = options;
  const { nodeName } = peer;
  const flow = new Flow(link);
  let connection: Promise<NodeSession | undefined> | undefined;
  const end = (code: number, reason: string): void => {
    link.close(code, reason);
    setTimeout(() => link.terminate(), closeWithinMs).unref(); // the other end may have no power, and this one not read
  };
  const tooLong = setTimeout(() => end(closeCodes.silent, 'no hello came in time'), silenceMs);
  link.on('message', (data: Buffer) => {
    flow.received(data.length);
    const message = readMessage(FromAgent, data.toString('utf8'));
    if (connection === undefined) {
      if (message?.type !== 'hello') return end(closeCodes.unreadable, 'the first message must be a hello');
      flow.hold('connecting');
      connection = nodes.connect(peer, { reachedAt, seenAs, send: (answer) => flow.send(answer), close: end }, message);
      connection
        .catch((error: unknown) => {
          log.warn('a node is not connected', { node: nodeName, error });
          end(1011, 'the server cannot take connections now');
        })
        .finally(() => {
          clearTimeout(tooLong);
          flow.release('connecting');
        });
      return;
    }
    if (message === undefined) return; // of a newer version
    void connection.then((known) => known?.handle(message)).catch(() => {}); // said above
  });
  link.on('error', (error) => log.debug('the channel of a node failed', { node: nodeName, error }));
  link.on('close', () => {
    clearTimeout(tooLong);
    void connection?.then((known) => known?.ended()).catch(() => {}); // said above
  });
}
