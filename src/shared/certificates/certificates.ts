/**
 * @module
 * What both ends of a certificate need: keys, requests for certificates, and when one must be renewed.
 * Knows: P-256 keys, PKCS#10, validity. Leaves to others: signing (server/pki), where files lie (the rooms).
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { ecdsaP256, loadX509, subjectName } from './x509.ts';

export { certificateTimer } from './certificate-timer.ts';
/** Of a certificate's subject, as they are: its text form escapes signs. `{ O: ['dev'], CN: ['anna'] }` */
export function subjectFields(certificate: X509Certificate): Readonly<Record<string, readonly string[]>> {
  const fields = Object.entries(certificate.toLegacyObject().subject as Readonly<Record<string, string | string[]>>);
  return Object.fromEntries(fields.map(([type, values]) => [type, Array.isArray(values) ? values : [values]]));
}

export { ecdsaP256, loadX509, subjectName, uidOid } from './x509.ts';

/** A new P-256 key as `EC PRIVATE KEY`, the form every Kubernetes program reads. */
export function createKeyPem(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'sec1', format: 'pem' }).toString();
}

/** A signing request for the key's public half. The name is for readers: the signer chooses its own. */
export async function createCsrPem(keyPem: string, commonName: string): Promise<string> {
  const x509 = await loadX509();
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: await subjectName({ commonName }),
    keys: {
      privateKey: createPrivateKey(keyPem).toCryptoKey(ecdsaP256, true, ['sign']),
      publicKey: createPublicKey(keyPem).toCryptoKey(ecdsaP256, true, ['verify']),
    },
    signingAlgorithm: ecdsaP256,
  });
  return `${csr.toString('pem')}\n`;
}

/**
 * True from a moment between half and four fifths of the certificate's life on. The moment comes from the serial
 * number, so that certificates made together are not all renewed together, and each look gives the same answer.
 */
export function isRenewalDue(certificate: X509Certificate, nowMs: number): boolean {
  const bornMs = certificate.validFromDate.getTime();
  const lifeMs = certificate.validToDate.getTime() - bornMs;
  const spread = createHash('sha256').update(certificate.serialNumber).digest().readUInt32BE() / 0xffff_ffff;
  return nowMs >= bornMs + lifeMs * (0.5 + 0.3 * spread);
}

/** The certificate if the text is one and belongs to the key. */
export function matchingCertificate(certPem: string, keyPem: string): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(certPem);
    return certificate.checkPrivateKey(createPrivateKey(keyPem)) ? certificate : undefined;
  } catch {
    return undefined; // not a certificate, or not a key
  }
}

/** Each certificate of a PEM text, without what stands between them, which is anybody's words. */
export function certificatesIn(pem: string): readonly string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[\w+/=\s]+-----END CERTIFICATE-----/g) ?? [];
}

/** Lower-case hex of the PEM file's bytes: what a join token pins, and what `sha256sum` prints. */
export function caHashOf(caPem: string): string {
  return createHash('sha256').update(caPem).digest('hex');
}
