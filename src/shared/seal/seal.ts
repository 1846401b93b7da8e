/**
 * @module
 * A text that only who knows a secret can read, and nobody can change unnoticed: what servers of one cluster share.
 * Spec: scrypt (RFC 7914), AES-256-GCM (NIST SP 800-38D).
 */
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import { KagentError } from '../errors.ts';
import type { Secret } from '../secret.ts';

const saltBytes = 16;
const ivBytes = 12;
const tagBytes = 16;
const cipher = 'aes-256-gcm';

export class SealError extends KagentError {
  readonly code = 'SEAL';
  readonly fault = 'operator';
  constructor() {
    super('what the servers of the cluster share cannot be read with this token', {
      remedy: 'give the text of server/token of a server of this cluster',
    });
  }
}

/** @returns base64 of salt, nonce, tag and what is encrypted */
export function seal(secret: Secret, text: string): string {
  const salt = randomBytes(saltBytes);
  const iv = randomBytes(ivBytes);
  const encryption = createCipheriv(cipher, keyOf(secret, salt), iv);
  const encrypted = Buffer.concat([encryption.update(text, 'utf8'), encryption.final()]);
  return Buffer.concat([salt, iv, encryption.getAuthTag(), encrypted]).toString('base64');
}

/** @throws {SealError} another secret has sealed it, or somebody has changed it */
export function unseal(secret: Secret, sealed: string): string {
  const bytes = Buffer.from(sealed, 'base64');
  const salt = bytes.subarray(0, saltBytes);
  const iv = bytes.subarray(saltBytes, saltBytes + ivBytes);
  const tag = bytes.subarray(saltBytes + ivBytes, saltBytes + ivBytes + tagBytes);
  if (tag.length < tagBytes) throw new SealError();
  try {
    const decryption = createDecipheriv(cipher, keyOf(secret, salt), iv, { authTagLength: tagBytes });
    decryption.setAuthTag(tag);
    const encrypted = bytes.subarray(saltBytes + ivBytes + tagBytes);
    return Buffer.concat([decryption.update(encrypted), decryption.final()]).toString('utf8');
  } catch {
    throw new SealError();
  }
}

/** Slow on purpose: an operator may have chosen the secret. */
function keyOf(secret: Secret, salt: Buffer): Buffer {
  return scryptSync(secret.reveal(), salt, 32, { N: 2 ** 15, r: 8, p: 1, maxmem: 64 << 20 });
}
