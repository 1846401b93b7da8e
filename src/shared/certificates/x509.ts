import type * as X509 from '@peculiar/x509';

/** Of every key and signature kagent makes. */
export const ecdsaP256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/**
 * The certificate library, loaded when the first certificate is made: it costs about 100 ms and 20 MB, and most starts
 * find every certificate on disk.
 */
export async function loadX509(): Promise<typeof X509> {
  await import('reflect-metadata'); // it must come first
  return import('@peculiar/x509');
}

export interface Subject {
  readonly commonName: string;
  readonly organizations?: readonly string[] | undefined;
  /** Tells one machine from another that had the name before it; kube-apiserver takes it as the user's uid. */
  readonly uid?: string | undefined;
}

/** Of a user's uid, in Kubernetes' own arc. */
export const uidOid = '1.3.6.1.4.1.57683.2';

/**
 * Each text as it is. Given as plain strings, names are read as RFC 4514 writes them: `#0c0e…` as the bytes of another name,
 * `a"b"` as `b`, `a\\b` as `ab`; a check of the text would have looked at something else than what the certificate says.
 */
export async function subjectName({ commonName, organizations = [], uid }: Subject): Promise<X509.Name> {
  const { Name } = await loadX509();
  const utf8 = (text: string) => [{ utf8String: text }];
  return new Name([
    ...organizations.map((text) => ({ O: utf8(text) })),
    { CN: utf8(commonName) },
    ...(uid === undefined ? [] : [{ [uidOid]: utf8(uid) }]),
  ]);
}
