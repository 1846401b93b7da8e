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

const nodeUser = 'CN=system:node:';
