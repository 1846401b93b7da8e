import { createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { loadX509 } from '../../shared/certificates/certificates.ts';
import { CsrInvalidError } from './errors.ts';

/**
 * The key a signing request is for, once the request's own signature shows that its sender holds the private half.
 * @throws {CsrInvalidError} no PKCS#10 PEM, a wrong signature, or a key that is not P-256
 */
export async function publicKeyOfCsr(csrPem: string): Promise<KeyObject> {
  const x509 = await loadX509();
  try {
    const csr = new x509.Pkcs10CertificateRequest(csrPem);
    const publicKey = createPublicKey({ key: Buffer.from(csr.publicKey.rawData), format: 'der', type: 'spki' });
    if (publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new CsrInvalidError('its key is not P-256');
    if (!(await csr.verify())) throw new CsrInvalidError('its signature is wrong');
    return publicKey;
  } catch (error) {
    if (error instanceof CsrInvalidError) throw error;
    throw new CsrInvalidError('it is not PKCS#10', error);
  }
}
