import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { issueUserCertificate } from '../../../../src/server/join/user-certificates.ts';
import { openPki } from '../../../../src/server/pki/pki.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const publicKeyPem = String(publicKey.export({ type: 'spki', format: 'pem' }));
const dayMs = 86_400_000;
const request = { name: 'anna@example.org', groups: ['dev', 'ops'], ttlMs: 90 * dayMs, publicKeyPem };

test('a person’s certificate has the name, the groups and the time that were asked for, and is for clients alone', async () => {
  const { clientCa } = await openPki(temporaryDir());
  const { certPem, notAfter } = await issueUserCertificate({ clientCa }, request);
  const certificate = new X509Certificate(certPem);
  expect(certificate.subject.split('\n')).toEqual(['O=dev', 'O=ops', 'CN=anna@example.org']);
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
  expect(certificate.publicKey.equals(publicKey)).toBe(true);
  expect(certificate.verify(new X509Certificate(clientCa.caPem).publicKey)).toBe(true);
  expect(Math.round((Date.parse(notAfter) - Date.now()) / dayMs)).toBe(90);
});

test('a certificate does not outlive its CA', async () => {
  const { clientCa } = await openPki(temporaryDir());
  const { notAfter } = await issueUserCertificate({ clientCa }, { ...request, ttlMs: 100_000 * dayMs });
  expect(Date.parse(notAfter)).toBe(new X509Certificate(clientCa.caPem).validToDate.getTime());
});

test.each([
  ['system:kube-controller-manager', []],
  ['system:masters', []],
  ['anna', ['system:nodes']],
])('nobody becomes %s in %j', async (name, groups) => {
  const { clientCa } = await openPki(temporaryDir());
  await expect(issueUserCertificate({ clientCa }, { ...request, name, groups })).rejects.toThrow(
    "is a name for Kubernetes' own parts",
  );
});

/** Texts that the certificate library reads as other names. */
const disguises = (name: string) => [
  `#0c${Buffer.from([name.length]).toString('hex')}${Buffer.from(name).toString('hex')}`, // a UTF8String, in DER
  `#13${Buffer.from([name.length]).toString('hex')}${Buffer.from(name).toString('hex')}`, // a PrintableString
  `anna"${name}"`,
  name.replace('system', String.raw`s\ystem`),
];

test.each(['system:masters', 'system:node:worker-1', 'system:kube-scheduler'].flatMap(disguises))(
  'a person or a group called %j has exactly that name in the certificate',
  async (name) => {
    const { clientCa } = await openPki(temporaryDir());
    const { certPem } = await issueUserCertificate({ clientCa }, { ...request, name, groups: ['dev', name] });
    const subject: unknown = new X509Certificate(certPem).toLegacyObject().subject;
    expect({ ...(subject as object) }).toEqual({ CN: name, O: ['dev', name] });
  },
);
