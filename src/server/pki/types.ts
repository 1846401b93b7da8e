import type { KeyObject } from 'node:crypto';
import type { TrustBundle } from './trust.ts';

export interface LeafSpec extends Omit<CertificateRequest, 'publicKey'> {
  /** Of the files, without ending: `kube-apiserver`. */
  readonly name: string;
}

export interface Leaf {
  readonly certFile: string;
  readonly keyFile: string;
  /** Whether this call wrote a certificate: its reader may have to be told. */
  readonly changed: boolean;
}

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

export interface EtcdAuthorities {
  /** Signs what members show their clients, and who may be one. */
  readonly serverCa: CertificateAuthority;
  /** Signs what members show each other. */
  readonly peerCa: CertificateAuthority;
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
  /** Of an etcd's members. Their files, in `etcd/`, are there where a server is one. */
  openEtcd(): Promise<EtcdAuthorities>;
  /** Makes or renews `<name>.crt` and `<name>.key` where needed: missing, changed, due, expired, other CA. */
  keepLeaf(authority: CertificateAuthority, leaf: LeafSpec): Promise<Leaf>;
}
