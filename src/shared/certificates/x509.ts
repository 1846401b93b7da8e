/** Of every key and signature kagent makes. */
export const ecdsaP256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/**
 * The certificate library, loaded when the first certificate is made: it costs about 100 ms and 20 MB, and most starts
 * find every certificate on disk.
 */
export async function loadX509(): Promise<typeof import('@peculiar/x509')> {
  await import('reflect-metadata'); // it must come first
  return import('@peculiar/x509');
}
