import { createPrivateKey, createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  caHashOf,
  ecdsaP256,
  loadX509,
  subjectFields,
  subjectName,
  uidOid,
} from '../../shared/certificates/certificates.ts';
import type { Clock } from '../../shared/clock.ts';
import { keepMode, readFileIfExists, writeFileAtomicSync } from '../../shared/files/files.ts';
import { CaExpiredError, PkiFileInvalidError, PkiKeyMismatchError, PkiKeyMissingError } from './errors.ts';
import { certMode, keepKey } from './files.ts';
import { TrustBundle } from './trust.ts';
import type { CertificateAuthority, CertificateRequest, IssuedCertificate } from './types.ts';

const dayMs = 86_400_000;
const caDays = 3650;
const leafDays = 365;
/** Other machines' clocks may be a little behind. */
const backDatedMs = 3_600_000;

/** The authority in `<dir>/<name>.crt` and `.key`, made on first use. @param name may have a folder in front: `etcd/peer-ca` */
export async function openAuthority(dir: string, name: string, clock: Clock): Promise<CertificateAuthority> {
  const certFile = join(dir, `${name}.crt`);
  const keyFile = join(dir, `${name}.key`);
  const known = readFileIfExists(certFile);
  if (known !== undefined && readFileIfExists(keyFile) === undefined) throw new PkiKeyMissingError(certFile, keyFile);
  const key = createPrivateKey(keepKey(keyFile));
  const caPem =
    known ?? (await selfSigned(`kagent-${name.replaceAll('/', '-')}@${Math.trunc(clock.now() / 1000)}`, key, clock));
  if (known === undefined) writeFileAtomicSync(certFile, caPem, certMode);
  else check(caPem, { certFile, keyFile, key, nowMs: clock.now() });
  keepMode(certFile, certMode); // an earlier kagent's has another one
  let issuer: Promise<Issuer> | undefined; // read when it first signs: most starts sign nothing
  return {
    caPem,
    trust: new TrustBundle(caPem),
    caHash: caHashOf(caPem),
    certFile,
    keyFile,
    async issue(request) {
      issuer ??= readIssuer(caPem, key);
      return await issue(request, await issuer, clock.now());
    },
  };
}

function check(
  caPem: string,
  { certFile, keyFile, key, nowMs }: { certFile: string; keyFile: string; key: KeyObject; nowMs: number },
): void {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(caPem);
  } catch (error) {
    throw new PkiFileInvalidError(certFile, error);
  }
  if (!certificate.checkPrivateKey(key)) throw new PkiKeyMismatchError(certFile, keyFile);
  if (certificate.validToDate.getTime() <= nowMs) {
    throw new CaExpiredError(certFile, certificate.validToDate.toISOString());
  }
}

async function selfSigned(commonName: string, key: KeyObject, clock: Clock): Promise<string> {
  const x509 = await loadX509();
  const publicKey = createPublicKey(key).toCryptoKey(ecdsaP256, true, ['verify']);
  const keyUsage = x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: await subjectName({ commonName }),
    notBefore: new Date(clock.now() - backDatedMs),
    notAfter: new Date(clock.now() + caDays * dayMs),
    keys: { publicKey, privateKey: key.toCryptoKey(ecdsaP256, true, ['sign']) },
    signingAlgorithm: ecdsaP256,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(keyUsage, true),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

type Issuer = Awaited<ReturnType<typeof readIssuer>>;

async function readIssuer(caPem: string, key: KeyObject) {
  const x509 = await loadX509();
  const certificate = new x509.X509Certificate(caPem);
  return {
    name: certificate.subjectName,
    notAfter: certificate.notAfter,
    keyIdentifier: await x509.AuthorityKeyIdentifierExtension.create(certificate),
    signingKey: key.toCryptoKey(ecdsaP256, true, ['sign']),
  };
}

async function issue(request: CertificateRequest, issuer: Issuer, nowMs: number): Promise<IssuedCertificate> {
  const x509 = await loadX509();
  const publicKey = request.publicKey.toCryptoKey(ecdsaP256, true, ['verify']);
  const usages = { server: x509.ExtendedKeyUsage.serverAuth, client: x509.ExtendedKeyUsage.clientAuth };
  const names = [
    ...(request.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(request.ipAddresses ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
  // No leaf outlives its CA: clients would see a chain that is good and then, at once, not.
  const notAfter = new Date(Math.min(nowMs + (request.validMs ?? leafDays * dayMs), issuer.notAfter.getTime()));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    issuer: issuer.name,
    subject: await subjectName(request),
    notBefore: new Date(nowMs - backDatedMs),
    notAfter,
    publicKey,
    signingKey: issuer.signingKey,
    signingAlgorithm: ecdsaP256,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(request.usages.map((usage) => usages[usage])),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      issuer.keyIdentifier,
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
    ],
  });
  const certPem = `${certificate.toString('pem')}\n`;
  checkSubject(certPem, request);
  return { certPem, notAfter: notAfter.toISOString() };
}

/** Whoever decided about these names decided about what the certificate says. */
function checkSubject(certPem: string, { commonName, organizations = [], uid }: CertificateRequest): void {
  const wanted = {
    CN: [commonName],
    ...(organizations.length > 0 && { O: [...organizations] }),
    ...(uid !== undefined && { [uidOid]: [uid] }),
  };
  const said = subjectFields(new X509Certificate(certPem));
  if (isDeepStrictEqual(said, wanted)) return;
  throw new TypeError(`the certificate would say ${JSON.stringify(said)} for ${JSON.stringify(wanted)}`);
}

/** 127 random bits: positive, and never twice. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
