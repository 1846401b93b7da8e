import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { CsrInvalidError, publicKeyOfCsr } from '../../../../src/server/pki/pki.ts';
import { createCsrPem, createKeyPem, loadX509 } from '../../../../src/shared/certificates/certificates.ts';

test('a signing request gives the key it was made with', async () => {
  const keyPem = createKeyPem();
  const publicKey = await publicKeyOfCsr(await createCsrPem(keyPem, 'anything'));
  expect(publicKey.equals(createPublicKey(keyPem))).toBe(true);
});

test('a signing request whose signature is of another key is refused', async () => {
  const x509 = await loadX509();
  const mine = Buffer.from(new x509.Pkcs10CertificateRequest(await createCsrPem(createKeyPem(), 'one')).rawData);
  const at = mine.indexOf(Buffer.from('one'));
  mine.write('two', at);
  await expect(publicKeyOfCsr(pem(mine))).rejects.toThrow('its signature is wrong');
});

test('a key that is not P-256 is refused', async () => {
  const x509 = await loadX509();
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const algorithm = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=large',
    keys: {
      publicKey: publicKey.toCryptoKey(algorithm, true, ['verify']),
      privateKey: privateKey.toCryptoKey(algorithm, true, ['sign']),
    },
    signingAlgorithm: algorithm,
  });
  await expect(publicKeyOfCsr(csr.toString('pem'))).rejects.toThrow('its key is not P-256');
});

test.each(['', 'no PEM', pem(Buffer.from('junk'))])('%j is refused as no signing request', async (text) => {
  await expect(publicKeyOfCsr(text)).rejects.toThrow(CsrInvalidError);
});

function pem(der: Buffer): string {
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
}
