import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openPki } from '../../../src/server/pki/pki.ts';
import { pkcs12 } from '../../../src/server/pkcs12.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

test('openssl reads key and certificate from the file, with its password and no other', async () => {
  const dir = temporaryDir();
  const { clientCa } = await openPki(dir);
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { certPem } = await clientCa.issue({ commonName: 'anna', usages: ['client'], publicKey });
  const keyDer = privateKey.export({ type: 'pkcs8', format: 'der' });
  const certDer = new X509Certificate(certPem).raw;
  const path = join(dir, 'anna.p12');
  writeFileSync(path, await pkcs12({ name: 'anna', keyDer, certDer, password: 'spring' }));

  const read = (password: string, ...args: readonly string[]) =>
    execFileSync('openssl', ['pkcs12', '-in', path, '-passin', `pass:${password}`, '-nodes', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  expect(new X509Certificate(read('spring', '-nokeys')).fingerprint256).toBe(
    new X509Certificate(certPem).fingerprint256,
  );
  const key = createPrivateKey(read('spring', '-nocerts'));
  expect(new X509Certificate(certPem).checkPrivateKey(key)).toBe(true);
  expect(() => read('autumn', '-nokeys')).toThrow('openssl pkcs12');
});
