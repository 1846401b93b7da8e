import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  createKeyPem,
  ecdsaP256,
  loadX509,
  matchingCertificate,
  subjectName,
} from '../../shared/certificates/certificates.ts';
import { readFileIfExists, writeFileAtomicSync } from '../../shared/files/files.ts';

export interface LocalCertificate {
  readonly certPem: string;
  readonly keyPem: string;
}

const dayMs = 24 * 60 * 60 * 1000;
const validDays = 3650;
const renewBeforeDays = 365;

/**
 * The certificate of 127.0.0.1, made on this node and signed by its own key, which never leaves it. It is no CA: who
 * trusts it trusts that one address, and nothing that it could vouch for.
 */
export async function localCertificate(dir: string, nowMs: number): Promise<LocalCertificate> {
  const certPath = join(dir, 'local.crt');
  const keyPath = join(dir, 'local.key');
  const known = { certPem: readFileIfExists(certPath) ?? '', keyPem: readFileIfExists(keyPath) ?? '' };
  const good = matchingCertificate(known.certPem, known.keyPem);
  if (good !== undefined && good.validToDate.getTime() > nowMs + renewBeforeDays * dayMs) return known;
  const keyPem = createKeyPem();
  const certPem = await selfSigned(keyPem, nowMs);
  writeFileAtomicSync(keyPath, keyPem, 0o600);
  writeFileAtomicSync(certPath, certPem, 0o600);
  return { certPem, keyPem };
}

async function selfSigned(keyPem: string, nowMs: number): Promise<string> {
  const x509 = await loadX509();
  const privateKey = createPrivateKey(keyPem);
  const publicKey = createPublicKey(keyPem).toCryptoKey(ecdsaP256, true, ['verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: `40${randomBytes(15).toString('hex')}`, // positive
    name: await subjectName({ commonName: 'kagent offline' }),
    notBefore: new Date(nowMs - dayMs),
    notAfter: new Date(nowMs + validDays * dayMs),
    keys: { publicKey, privateKey: privateKey.toCryptoKey(ecdsaP256, true, ['sign']) },
    signingAlgorithm: ecdsaP256,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }]),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}
