import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/** The node at the other end, by its kubelet's client certificate; undefined for everybody else. */
export function peerNode(socket: Duplex): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const subject = socket.getPeerX509Certificate()?.subject.split('\n') ?? [];
  if (!subject.includes('O=system:nodes')) return undefined;
  const name = subject.find((part) => part.startsWith(nodeUser));
  return name?.slice(nodeUser.length);
}

/** A socket that listens in IPv6 writes IPv4 addresses as `::ffff:10.0.0.1`. */
export function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/, '');
}

const nodeUser = 'CN=system:node:';
