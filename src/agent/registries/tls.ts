import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { messageOf } from '../../shared/errors.ts';
import { publicCas } from '../../shared/http/http.ts';
import type { Tls } from './file.ts';

/** What is wrong with the certificates that `registries.yaml` names for a registry, if anything is. */
export function problemWith(tls: Tls): string | undefined {
  if (tls.caFile === undefined && tls.certFile === undefined) return undefined;
  try {
    secureContextOf(tls);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** The certificates of an endpoint. @throws {Error} with the files' names, if one cannot be read or is none */
export function secureContextOf({ caFile, certFile, keyFile }: Tls): SecureContext {
  try {
    // As in containerd: what the system believes, and the endpoint's own CA.
    const ca = publicCas();
    const own = caFile === undefined ? [] : [readFileSync(caFile, 'utf8')];
    for (const pem of own) new X509Certificate(pem); // or it throws: TLS passes over a CA that is none
    return createSecureContext({
      ca: [...ca, ...own],
      ...(certFile !== undefined && { cert: readFileSync(certFile) }),
      ...(keyFile !== undefined && { key: readFileSync(keyFile) }),
      minVersion: 'TLSv1.2',
    });
  } catch (cause) {
    const files = [caFile, certFile, keyFile].filter((file) => file !== undefined).join(', ');
    throw new Error(`the certificates in ${files} cannot be used: ${messageOf(cause)}`, { cause });
  }
}
