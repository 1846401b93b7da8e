import { createPublicKey, X509Certificate } from 'node:crypto';
import { isIP, SocketAddress } from 'node:net';
import { join } from 'node:path';
import { isRenewalDue, matchingCertificate, subjectFields } from '../../shared/certificates/certificates.ts';
import type { Clock } from '../../shared/clock.ts';
import { keepMode, readFileIfExists, writeFileAtomicSync } from '../../shared/files/files.ts';
import { certMode, keepKey } from './files.ts';
import type { CertificateAuthority, Leaf, LeafSpec } from './types.ts';
import { sameSet } from '../../shared/same-set.ts';

interface KeepLeafOptions {
  readonly dir: string;
  readonly authority: CertificateAuthority;
  readonly leaf: LeafSpec;
  readonly clock: Clock;
}

/** A renewal keeps the key and replaces one file, so that a reader never finds two that do not match. */
export async function keepLeaf({ dir, authority, leaf, clock }: KeepLeafOptions): Promise<Leaf> {
  const certFile = join(dir, `${leaf.name}.crt`);
  const keyFile = join(dir, `${leaf.name}.key`);
  const keyPem = keepKey(keyFile);
  const known = matchingCertificate(readFileIfExists(certFile) ?? '', keyPem);
  if (known !== undefined && isGood(known, { authority, leaf, nowMs: clock.now() })) {
    keepMode(certFile, certMode); // an earlier kagent's has another one
    return { certFile, keyFile, changed: false };
  }
  const { certPem } = await authority.issue({ ...leaf, publicKey: createPublicKey(keyPem) });
  writeFileAtomicSync(certFile, certPem, certMode);
  return { certFile, keyFile, changed: true };
}

function isGood(
  certificate: X509Certificate,
  { authority, leaf, nowMs }: { authority: CertificateAuthority; leaf: LeafSpec; nowMs: number },
): boolean {
  return (
    !isRenewalDue(certificate, nowMs) &&
    certificate.verify(new X509Certificate(authority.caPem).publicKey) &&
    sameSet(subjectOf(certificate), wantedSubject(leaf)) &&
    sameSet(alternativeNames(certificate), wantedNames(leaf)) &&
    sameSet(
      certificate.keyUsage,
      leaf.usages.map((usage) => usageOids[usage]),
    )
  );
}

const usageOids = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const;

function subjectOf(certificate: X509Certificate): readonly string[] {
  const fields = Object.entries(subjectFields(certificate));
  return fields.flatMap(([type, values]) => values.map((value) => `${type}=${value}`));
}

function wantedSubject(leaf: LeafSpec): readonly string[] {
  return [...(leaf.organizations ?? []).map((name) => `O=${name}`), `CN=${leaf.commonName}`];
}

function wantedNames(leaf: LeafSpec): readonly string[] {
  return [...(leaf.dnsNames ?? []).map((name) => `DNS:${name}`), ...(leaf.ipAddresses ?? []).map(ipName)];
}

/** As Node prints them, with addresses in their usual form. */
function alternativeNames(certificate: X509Certificate): readonly string[] {
  const names = certificate.subjectAltName?.split(', ') ?? [];
  return names.map((name) => (name.startsWith('IP Address:') ? ipName(name.slice('IP Address:'.length)) : name));
}

/** `0:0:0:0:0:0:0:1` and `::1` are one address. */
function ipName(address: string): string {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  return `IP:${new SocketAddress({ address, family }).address}`;
}
