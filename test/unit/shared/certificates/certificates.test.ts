import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { openPki } from '../../../../src/server/pki/pki.ts';
import {
  caHashOf,
  createKeyPem,
  isRenewalDue,
  matchingCertificate,
} from '../../../../src/shared/certificates/certificates.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

async function issued(keyPem: string): Promise<X509Certificate> {
  const { clientCa } = await openPki(temporaryDir());
  const { certPem } = await clientCa.issue({ commonName: 'a', usages: ['client'], publicKey: createPublicKey(keyPem) });
  return new X509Certificate(certPem);
}

test('certificates made together are renewed at different moments, all between half and four fifths of their life', async () => {
  const { clientCa } = await openPki(temporaryDir());
  const moments = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const publicKey = createPublicKey(createKeyPem());
      const certificate = new X509Certificate(
        (await clientCa.issue({ commonName: 'a', usages: ['client'], publicKey })).certPem,
      );
      const bornMs = certificate.validFromDate.getTime();
      const lifeMs = certificate.validToDate.getTime() - bornMs;
      const at = Array.from({ length: 101 }, (_, percent) => percent).find((percent) =>
        isRenewalDue(certificate, bornMs + (lifeMs * percent) / 100),
      );
      return at ?? 100;
    }),
  );
  expect(Math.min(...moments)).toBeGreaterThanOrEqual(50);
  expect(Math.max(...moments)).toBeLessThanOrEqual(80);
  expect(new Set(moments).size).toBeGreaterThan(5);
});

test('a certificate matches its key alone', async () => {
  const keyPem = createKeyPem();
  const certificate = await issued(keyPem);
  expect(matchingCertificate(certificate.toString(), keyPem)?.serialNumber).toBe(certificate.serialNumber);
  expect(matchingCertificate(certificate.toString(), createKeyPem())).toBeUndefined();
  expect(matchingCertificate('', keyPem)).toBeUndefined();
});

test('the hash of a CA is of the bytes of its PEM', () => {
  expect(caHashOf('a\n')).toBe(createHash('sha256').update('a\n').digest('hex'));
});
