import { createHash, createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  lstatSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  CaExpiredError,
  openPki,
  PkiFileInvalidError,
  PkiKeyMismatchError,
  PkiKeyMissingError,
} from '../../../../src/server/pki/pki.ts';
import { createKeyPem } from '../../../../src/shared/certificates/certificates.ts';
import { fakeClock } from '../../../helpers/clock.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const names = ['server-ca', 'client-ca', 'request-header-ca', 'kubelet-ca'];

test('a first start makes every authority, with keys that only their owner can read', async () => {
  const dir = temporaryDir();
  await openPki(dir);
  for (const name of names) {
    const certificate = new X509Certificate(readFileSync(join(dir, `${name}.crt`)));
    expect(certificate.ca).toBe(true);
    expect(statSync(join(dir, `${name}.key`)).mode & 0o777).toBe(0o600);
  }
  expect(statSync(join(dir, 'service.key')).mode & 0o777).toBe(0o600);
});

test('certificates are their owner’s alone, also those of an earlier kagent; a link to somebody’s own CA stays one', async () => {
  const dir = temporaryDir();
  await openPki(dir);
  const elsewhere = join(temporaryDir(), 'ca.crt');
  renameSync(join(dir, 'client-ca.crt'), elsewhere);
  symlinkSync(elsewhere, join(dir, 'client-ca.crt'));
  for (const path of [join(dir, 'server-ca.crt'), elsewhere]) chmodSync(path, 0o644);
  const pki = await openPki(dir);
  const leaf = { name: 'a', commonName: 'a', usages: ['client'] } as const;
  const { certFile } = await pki.keepLeaf(pki.clientCa, leaf);
  chmodSync(certFile, 0o644);
  await pki.keepLeaf(pki.clientCa, leaf);
  const modeOf = (path: string) => (lstatSync(path).mode & 0o777).toString(8);
  expect([join(dir, 'server-ca.crt'), certFile, elsewhere].map(modeOf)).toEqual(['600', '600', '644']);
  expect(lstatSync(join(dir, 'client-ca.crt')).isSymbolicLink()).toBe(true);
});

test('a second start loads what the first made', async () => {
  const dir = temporaryDir();
  const first = await openPki(dir);
  const second = await openPki(dir);
  expect(second.serverCa.caPem).toBe(first.serverCa.caPem);
  expect(second.clientCa.caHash).toBe(first.clientCa.caHash);
});

test('the hash of an authority is what sha256sum prints for its file', async () => {
  const { serverCa } = await openPki(temporaryDir());
  expect(serverCa.caHash).toBe(createHash('sha256').update(readFileSync(serverCa.certFile)).digest('hex'));
});

test('a crash between a key and its certificate is healed by the next start', async () => {
  const dir = temporaryDir();
  await openPki(dir);
  rmSync(join(dir, 'client-ca.crt'));
  const { clientCa } = await openPki(dir);
  expect(new X509Certificate(clientCa.caPem).checkPrivateKey(createPrivateKey(readFileSync(clientCa.keyFile)))).toBe(
    true,
  );
});

test('an authority whose key is lost is an error that names the file', async () => {
  const dir = temporaryDir();
  await openPki(dir);
  rmSync(join(dir, 'server-ca.key'));
  const opened = openPki(dir);
  await expect(opened).rejects.toThrow(PkiKeyMissingError);
  await expect(opened).rejects.toThrow(join(dir, 'server-ca.key'));
});

test('a key of another authority is an error that names both files', async () => {
  const dir = temporaryDir();
  await openPki(dir);
  copyFileSync(join(dir, 'client-ca.key'), join(dir, 'server-ca.key'));
  const opened = openPki(dir);
  await expect(opened).rejects.toThrow(PkiKeyMismatchError);
  await expect(opened).rejects.toThrow(/server-ca\.crt.*server-ca\.key/);
});

test.each(['server-ca.crt', 'server-ca.key', 'service.key'])('a damaged %s is named', async (file) => {
  const dir = temporaryDir();
  await openPki(dir);
  chmodSync(join(dir, file), 0o600);
  writeFileSync(join(dir, file), 'no PEM\n');
  const opened = openPki(dir);
  await expect(opened).rejects.toThrow(PkiFileInvalidError);
  await expect(opened).rejects.toThrow(file);
});

test('an authority that ended is an error that says when', async () => {
  const dir = temporaryDir();
  const clock = fakeClock();
  await openPki(dir, clock);
  clock.advance(3651 * 86_400_000);
  await expect(openPki(dir, clock)).rejects.toThrow(CaExpiredError);
});

test('a certificate has the names and usages of the request, begins an hour ago and lasts a year', async () => {
  const { serverCa } = await openPki(temporaryDir());
  const { certPem, notAfter } = await serverCa.issue({
    commonName: 'web',
    organizations: ['a,O=b', 'c'],
    dnsNames: ['web.example'],
    ipAddresses: ['10.0.0.7', 'fd00::7'],
    usages: ['server', 'client'],
    publicKey: createPublicKey(createKeyPem()),
  });
  const certificate = new X509Certificate(certPem);
  expect(certificate.verify(new X509Certificate(serverCa.caPem).publicKey)).toBe(true);
  expect(certificate.checkIssued(new X509Certificate(serverCa.caPem))).toBe(true);
  expect(certificate.ca).toBe(false);
  expect(certificate.toLegacyObject().subject).toMatchObject({ O: ['a,O=b', 'c'], CN: 'web' });
  expect(certificate.checkHost('web.example')).toBe('web.example');
  expect(certificate.checkIP('fd00::7')).toBe('fd00::7');
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  expect(Date.parse(notAfter) - certificate.validFromDate.getTime()).toBeCloseTo(365 * 86_400_000 + 3_600_000, -4);
});

test('a certificate does not outlive its authority', async () => {
  const clock = fakeClock();
  const dir = temporaryDir();
  await openPki(dir, clock);
  clock.advance(3600 * 86_400_000);
  const { serverCa } = await openPki(dir, clock);
  const { notAfter } = await serverCa.issue({
    commonName: 'late',
    usages: ['client'],
    publicKey: createPublicKey(createKeyPem()),
  });
  expect(Date.parse(notAfter)).toBe(new X509Certificate(serverCa.caPem).validToDate.getTime());
});
