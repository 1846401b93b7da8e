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
  const strangers = new Shares<Socket>();
  const reserved = new Shares<Socket>();
  const ofNodes = new Shares<Socket>();
  const rate = new Rate(newRate);
  /** Addresses from which nodes have come, the newest last. */
  const known = new Set<string>();
  /** How each connection leaves the strangers. */
  const leaving = new Map<string, () => void>();
  let toldAtMs = Number.NEGATIVE_INFINITY;

  const tell = (peer: string): void => {
    if (performance.now() - toldAtMs < tellEveryMs) return;
    toldAtMs = performance.now();
    log.warn('connections are ended: one peer has too many', { peer });
  };
  const makeRoom = (shares: Shares<Socket>, address: string): void => {
    const own = shares.of(address) >= mostOfAddress ? address : undefined;
    const holder = own ?? (shares.size >= most ? shares.largest() : undefined);
    if (holder === undefined) return;
    shares.takeOldest(holder)?.destroy();
    tell(holder);
  };
  const remember = (address: string): void => {
    known.delete(address);
    known.add(address);
    const [oldest] = known;
    if (known.size > addressesKept && oldest !== undefined) known.delete(oldest);
  };

  // Before TLS takes the socket over, which is most of what a connection costs.
  const listeners = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const address = plainAddress(socket.remoteAddress);
    if (!known.has(address) && !rate.take(address)) {
      socket.resetAndDestroy();
      return tell(address);
    }
    const shares = known.has(address) ? reserved : strangers;
    const id = idOf(socket);
    makeRoom(shares, address);
    shares.add(address, socket);
    const leave = () => {
      shares.delete(address, socket);
      if (leaving.get(id) === leave) leaving.delete(id);
    };
    leaving.set(id, leave);
    socket.once('close', leave);
    for (const listener of listeners) listener.call(server, socket);
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    const peer = peerNode(socket);
    if (peer === undefined) return;
    const { nodeName } = peer;
    remember(plainAddress(socket.remoteAddress));
    leaving.get(idOf(socket))?.();
    if (ofNodes.of(nodeName) >= mostOfNode) {
      socket.destroy();
      return tell(nodeName);
    }
    ofNodes.add(nodeName, socket);
    socket.once('close', () => ofNodes.delete(nodeName, socket));
  });
}

/** The same before and after TLS has taken the socket over. */
function idOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
