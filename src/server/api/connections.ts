import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Log } from '../../shared/log/log.ts';
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
  /** Addresses from which nodes have come, the newest last. */
  const known = new Set<string>();
  /** How each connection leaves the strangers. */
  const leaving = new Map<string, () => void>();
  let toldAtMs = Number.NEGATIVE_INFINITY;

  const end = (socket: Socket, holder: string): void => {
    socket.destroy();
    if (performance.now() - toldAtMs < tellEveryMs) return;
    toldAtMs = performance.now();
    log.warn('connections are ended: one peer has too many', { peer: holder });
  };
  const makeRoom = (shares: Shares<Socket>, address: string): void => {
    const own = shares.of(address) >= mostOfAddress ? address : undefined;
    const holder = own ?? (shares.size >= most ? shares.largest() : undefined);
    if (holder === undefined) return;
    const oldest = shares.takeOldest(holder);
    if (oldest !== undefined) end(oldest, holder);
  };
  const remember = (address: string): void => {
    known.delete(address);
    known.add(address);
    const [oldest] = known;
    if (known.size > addressesKept && oldest !== undefined) known.delete(oldest);
  };

  server.on('connection', (socket: Socket) => {
    const address = plainAddress(socket.remoteAddress);
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
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    const nodeName = peerNode(socket);
    if (nodeName === undefined) return;
    remember(plainAddress(socket.remoteAddress));
    leaving.get(idOf(socket))?.();
    if (ofNodes.of(nodeName) >= mostOfNode) return end(socket, nodeName);
    ofNodes.add(nodeName, socket);
    socket.once('close', () => ofNodes.delete(nodeName, socket));
  });
}

/** The same before and after TLS has taken the socket over. */
function idOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
