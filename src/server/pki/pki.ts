/**
 * @module
 * The cluster's certificate authorities, what they sign, and the service-account key.
 * Knows: CAs on disk, leaf certificates and when they are due. Leaves to others: who deserves one (join/).
 * Spec: RFC 5280; Kubernetes' "PKI certificates and requirements".
 */
import { join } from 'node:path';
import { systemClock } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import { openAuthority } from './authority.ts';
import { keepLeaf } from './leaf.ts';
import type { Pki } from './types.ts';
import { keepKey } from './files.ts';

/**
 * Loads what is there and makes what is missing. Each CA's key is on disk before its certificate, so a crash in
 * between leaves a key that the next start makes a certificate for, never two files that do not match.
 * @throws {PkiKeyMissingError} @throws {PkiKeyMismatchError} @throws {PkiFileInvalidError} @throws {CaExpiredError}
 */
export async function openPki(dir: string, clock: Clock = systemClock): Promise<Pki> {
  const [serverCa, clientCa, requestHeaderCa, kubeletCa] = await Promise.all([
    openAuthority(dir, 'server-ca', clock),
    openAuthority(dir, 'client-ca', clock),
    openAuthority(dir, 'request-header-ca', clock),
    openAuthority(dir, 'kubelet-ca', clock),
  ]);
  const serviceAccountKeyFile = join(dir, 'service.key');
  keepKey(serviceAccountKeyFile);
  return {
    serverCa,
    clientCa,
    requestHeaderCa,
    kubeletCa,
    serviceAccountKeyFile,
    keepLeaf: (authority, leaf) => keepLeaf({ dir, authority, leaf, clock }),
    async openEtcd() {
      const [etcdServerCa, peerCa] = await Promise.all([
        openAuthority(dir, 'etcd/server-ca', clock),
        openAuthority(dir, 'etcd/peer-ca', clock),
      ]);
      return { serverCa: etcdServerCa, peerCa };
    },
  };
}

export type {
  CertificateAuthority,
  CertificateRequest,
  CertificateUsage,
  EtcdAuthorities,
  IssuedCertificate,
  Leaf,
  LeafSpec,
  Pki,
} from './types.ts';
export { publicKeyOfCsr } from './csr.ts';
export { TrustBundle } from './trust.ts';
export {
  CaExpiredError,
  CsrInvalidError,
  PkiFileInvalidError,
  PkiKeyMismatchError,
  PkiKeyMissingError,
} from './errors.ts';
