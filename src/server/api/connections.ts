import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Log } from '../../shared/log/log.ts';
import { Rate } from '../../shared/rate/rate.ts';
import { peerNode, plainAddress } from './peer.ts';
import { Shares } from './shares.ts';

/**
 * Of connections that have not shown a node's certificate, in all; and as many once more for those that come from the
 * address of a node, so that strangers never take what nodes come back by.
 */
const most = 1024;
/** A hundred boxes behind one router come at once. */
const mostOfAddress = 256;
/** Its channel, and the streams that kube-apiserver has asked it for. */
const mostOfNode = 512;
/** New ones of an address that is no node's; a box that joins needs some ten. */
const newRate = { burst: 512, perSecond: 50 };
const addressesKept = 4096;
const tellEveryMs = 60_000;

/**
 * Nobody's connections keep others out. One that comes is let in: where its address has its share, the oldest of that
 * address ends; where all is taken, the oldest of the address that has most. Who shows a node's certificate is counted
 * with that node from then on. A peer that says nothing is ended by the server's deadlines.
 */
export function shareConnections(server: Server, log: Log): void {
  const sharing = new ConnectionShares(log);
  // Before TLS takes the socket over, which is most of what a connection costs.
  const listeners = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    if (sharing.letIn(socket)) for (const listener of listeners) listener.call(server, socket);
  });
  server.on('secureConnection', (socket: TLSSocket) => sharing.identified(socket));
}

class ConnectionShares {
  readonly #log: Log;
  readonly #strangers = new Shares<Socket>();
  readonly #reserved = new Shares<Socket>();
  readonly #ofNodes = new Shares<Socket>();
  readonly #rate = new Rate(newRate);
  /** Addresses from which nodes have come, the newest last. */
  readonly #known = new Set<string>();
  /** How each connection leaves the strangers. */
  readonly #leaving = new Map<string, () => void>();
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(log: Log) {
    this.#log = log;
  }

  /** @returns false for one that is ended: its address has begun too many */
  letIn(socket: Socket): boolean {
    const address = plainAddress(socket.remoteAddress);
    if (!this.#known.has(address) && !this.#rate.take(address)) {
      socket.resetAndDestroy();
      this.#tell(address);
      return false;
    }
    const shares = this.#known.has(address) ? this.#reserved : this.#strangers;
    const id = idOf(socket);
    this.#makeRoom(shares, address);
    shares.add(address, socket);
    const leave = () => {
      shares.delete(address, socket);
      if (this.#leaving.get(id) === leave) this.#leaving.delete(id);
    };
    this.#leaving.set(id, leave);
    socket.once('close', leave);
    return true;
  }

  /** TLS is agreed on: it may be a node's. */
  identified(socket: TLSSocket): void {
    const peer = peerNode(socket);
    if (peer === undefined) return;
    const { nodeName } = peer;
    this.#remember(plainAddress(socket.remoteAddress));
    this.#leaving.get(idOf(socket))?.();
    if (this.#ofNodes.of(nodeName) >= mostOfNode) {
      socket.destroy();
      return this.#tell(nodeName);
    }
    this.#ofNodes.add(nodeName, socket);
    socket.once('close', () => this.#ofNodes.delete(nodeName, socket));
  }

  #makeRoom(shares: Shares<Socket>, address: string): void {
    const own = shares.of(address) >= mostOfAddress ? address : undefined;
    const holder = own ?? (shares.size >= most ? shares.largest() : undefined);
    if (holder === undefined) return;
    shares.takeOldest(holder)?.destroy();
    this.#tell(holder);
  }

  #remember(address: string): void {
    this.#known.delete(address);
    this.#known.add(address);
    const [oldest] = this.#known;
    if (this.#known.size > addressesKept && oldest !== undefined) this.#known.delete(oldest);
  }

  #tell(peer: string): void {
    if (performance.now() - this.#toldAtMs < tellEveryMs) return;
    this.#toldAtMs = performance.now();
    this.#log.warn('connections are ended: one peer has too many', { peer });
  }
}

/** The same before and after TLS has taken the socket over. */
function idOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
