import { X509Certificate } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openPki } from '../../../../src/server/pki/pki.ts';
import type { LeafSpec } from '../../../../src/server/pki/pki.ts';
import { fakeClock } from '../../../helpers/clock.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const dayMs = 86_400_000;
const leaf: LeafSpec = {
  name: 'kube-apiserver',
  commonName: 'kube-apiserver',
  organizations: ['kagent'],
  dnsNames: ['kubernetes', 'localhost'],
  ipAddresses: ['127.0.0.1', '::1', '10.43.0.1'],
  usages: ['server'],
};

async function kept() {
  const dir = temporaryDir();
  const clock = fakeClock();
  const pki = await openPki(dir, clock);
  const keep = (changes: Partial<LeafSpec> = {}) => pki.keepLeaf(pki.serverCa, { ...leaf, ...changes });
  const first = await keep();
  return { dir, clock, pki, keep, first };
}

test('a leaf is made once and then left as it is', async () => {
  const { keep, first } = await kept();
  expect(first.changed).toBe(true);
  expect((await keep()).changed).toBe(false);
});

test('an address written in another way is the same address', async () => {
  const { keep } = await kept();
  expect((await keep({ ipAddresses: ['10.43.0.1', '0:0::0:1', '127.0.0.1'] })).changed).toBe(false);
});

test.each([
  ['a further address', { ipAddresses: ['127.0.0.1', '::1', '10.43.0.1', '10.0.0.9'] }],
  ['a name less', { dnsNames: ['kubernetes'] }],
  ['another organization', { organizations: ['system:masters'] }],
  ['another usage', { usages: ['server', 'client'] as const }],
])('%s makes a new certificate for the same key', async (_what, changes) => {
  const { keep, first } = await kept();
  const key = readFileSync(first.keyFile, 'utf8');
  expect((await keep(changes)).changed).toBe(true);
  expect(readFileSync(first.keyFile, 'utf8')).toBe(key);
});

test('a leaf is renewed between half and four fifths of its life', async () => {
  const { clock, keep } = await kept();
  clock.advance(182 * dayMs);
  expect((await keep()).changed).toBe(false);
  clock.advance(111 * dayMs);
  expect((await keep()).changed).toBe(true);
});

test('a box that was off until its leaf had ended heals itself', async () => {
  const { clock, keep, first } = await kept();
  clock.advance(700 * dayMs);
  expect((await keep()).changed).toBe(true);
  const { validToDate } = new X509Certificate(readFileSync(first.certFile));
  expect(validToDate.getTime()).toBeGreaterThan(clock.now());
});

test('a leaf of another authority is replaced', async () => {
  const { pki, keep } = await kept();
  expect((await pki.keepLeaf(pki.clientCa, leaf)).changed).toBe(true);
  expect((await keep()).changed).toBe(true);
});

test.each(['crt', 'key'])('a lost .%s file comes back and matches', async (ending) => {
  const { dir, keep } = await kept();
  rmSync(join(dir, `kube-apiserver.${ending}`));
  expect((await keep()).changed).toBe(true);
  expect((await keep()).changed).toBe(false);
});

test('a damaged certificate is replaced', async () => {
  const { keep, first } = await kept();
  writeFileSync(first.certFile, '-----BEGIN CERTIFICATE-----\n');
  expect((await keep()).changed).toBe(true);
});

test('a leaf whose names have signs of their own in a subject is made once, too', async () => {
  const { keep } = await kept();
  const names = { commonName: 'a "b", \\c+d', organizations: ['#0c0161', 'x=y'] };
  const { certFile } = await keep(names);
  const subject: unknown = new X509Certificate(readFileSync(certFile)).toLegacyObject().subject;
  expect({ ...(subject as object) }).toEqual({ CN: names.commonName, O: names.organizations });
  expect((await keep(names)).changed).toBe(false);
});
