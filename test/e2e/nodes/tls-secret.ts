import { createPublicKey } from 'node:crypto';
import { openPki } from '../../../src/server/pki/pki.ts';
import { createKeyPem } from '../../../src/shared/certificates/certificates.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

/** A Secret with a certificate for these names, of an authority made for it. */
export async function tlsSecret(name: string, dnsNames: readonly [string, ...string[]]) {
  const { serverCa } = await openPki(temporaryDir());
  const key = createKeyPem();
  const request = { commonName: dnsNames[0], dnsNames, usages: ['server'], publicKey: createPublicKey(key) } as const;
  const { certPem } = await serverCa.issue(request);
  const base64 = (pem: string) => Buffer.from(pem).toString('base64');
  const data = { 'tls.crt': base64(certPem), 'tls.key': base64(key) };
  const secret = { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata: { name }, data };
  return { caPem: serverCa.caPem, secret };
}
