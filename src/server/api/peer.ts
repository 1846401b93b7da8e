import type { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Peer } from '../identity/identity.ts';
import type { TrustBundle } from '../pki/pki.ts';
import { subjectFields, uidOid } from '../../shared/certificates/certificates.ts';

/** The node at the other end, by its kubelet's client certificate; undefined for everybody else. */
export function peerNode(socket: Duplex): Peer | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  return nodeIn(socket.getPeerX509Certificate());
}

/**
 * As `peerNode`, also for a node whose certificate has run out while it was off: TLS has shown that it has the key, and it
 * comes for a new one. Node's own verdict names one of the faults of a chain, so the rest of it is looked at here.
 */
export function peerNodeOrExpired(socket: Duplex, clientTrust: TrustBundle): Peer | undefined {
  const known = peerNode(socket);
  if (known !== undefined || !(socket instanceof TLSSocket)) return known;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined || String(socket.authorizationError) !== 'CERT_HAS_EXPIRED') return undefined;
  const isOurs = clientTrust
    .certificates()
    .some((ca) => certificate.checkIssued(ca) && certificate.verify(ca.publicKey));
  return isOurs && certificate.keyUsage?.includes(clientAuth) === true ? nodeIn(certificate) : undefined;
}

/** A socket that listens in IPv6 writes IPv4 addresses as `::ffff:10.0.0.1`. */
export function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/, '');
}

const nodeUser = 'system:node:';
const clientAuth = '1.3.6.1.5.5.7.3.2';

function nodeIn(certificate: X509Certificate | undefined): Peer | undefined {
  if (certificate === undefined) return undefined;
  const { O: groups = [], CN: names = [], [uidOid]: uids = [] } = subjectFields(certificate);
  const [name = ''] = names;
  if (!groups.includes('system:nodes') || !name.startsWith(nodeUser)) return undefined;
  return { nodeName: name.slice(nodeUser.length), uid: uids.join() };
}
