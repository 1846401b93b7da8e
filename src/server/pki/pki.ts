/**
 * @module
 * The cluster's certificate authorities, what they sign, and the service-account key.
 * Knows: CAs on disk, leaf certificates and when they are due. Leaves to others: who deserves one (join/).
 * Spec: RFC 5280; Kubernetes' "PKI certificates and requirements".
 */
import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { systemClock, type Clock } from '../../shared/clock.ts';
import { openAuthority } from './authority.ts';
import { keepLeaf, type Leaf, type LeafSpec } from './leaf.ts';
import { keepKey } from './files.ts';
import type { TrustBundle } from './trust.ts';

export interface CertificateAuthority {
  /** Its own certificate, which it signs with. */
  readonly caPem: string;
  /** Whom those believe who verify what it signs. */
  readonly trust: TrustBundle;
  readonly caHash: string; // sha256 of the PEM file's bytes, lower-case hex: what a join token pins, and what `sha256sum` prints
  readonly certFile: string;
  readonly keyFile: string;
  /** Subject and SANs come from `request` alone. */
  issue(request: CertificateRequest): Promise<IssuedCertificate>;
}

export interface CertificateRequest {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  /** Tells one machine from another that had the name before it; kube-apiserver takes it as the user's uid. */
  readonly uid?: string;
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly usages: readonly CertificateUsage[];
  /** A year unless said; never longer than the CA's own. */
  readonly validMs?: number;
  /** P-256; from a signing request by `publicKeyOfCsr`, which leaves out whatever else it asks for. */
  readonly publicKey: KeyObject;
}
export type CertificateUsage = 'server' | 'client';

export interface IssuedCertificate {
  readonly certPem: string;
  readonly notAfter: string; // RFC 3339
}

export interface Pki {
  /** Signs what kube-apiserver and the supervisor show; tokens pin it. */
  readonly serverCa: CertificateAuthority;
  /** Signs whoever speaks to kube-apiserver. */
  readonly clientCa: CertificateAuthority;
  /** Signs kube-apiserver towards aggregated APIs. */
  readonly requestHeaderCa: CertificateAuthority;
  /** Signs what kubelets show; apart from `serverCa`, so that no node can pose as the server. */
  readonly kubeletCa: CertificateAuthority;
  readonly serviceAccountKeyFile: string;
  /** Makes or renews `<name>.crt` and `<name>.key` where needed: missing, changed, due, expired, other CA. */
  keepLeaf(authority: CertificateAuthority, leaf: LeafSpec): Promise<Leaf>;
}

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
  };
}

export { publicKeyOfCsr } from './csr.ts';
export type { Leaf, LeafSpec } from './leaf.ts';
export { TrustBundle } from './trust.ts';
export {
  CaExpiredError,
  CsrInvalidError,
  PkiFileInvalidError,
  PkiKeyMismatchError,
  PkiKeyMissingError,
} from './errors.ts';
