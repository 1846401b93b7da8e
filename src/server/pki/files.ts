import { createPrivateKey } from 'node:crypto';
import { createKeyPem } from '../../shared/certificates/certificates.ts';
import { readFileIfExists, writeFileAtomicSync } from '../../shared/files/files.ts';
import { PkiFileInvalidError } from './errors.ts';

export const keyMode = 0o600;
/** Only kagent and what it starts read them; others have a CA from its address. */
export const certMode = 0o600;

/** The key in the file, made on first use. @throws {PkiFileInvalidError} */
export function keepKey(path: string): string {
  const known = readFileIfExists(path);
  if (known !== undefined) {
    try {
      createPrivateKey(known);
    } catch (error) {
      throw new PkiFileInvalidError(path, error);
    }
    return known;
  }
  const keyPem = createKeyPem();
  writeFileAtomicSync(path, keyPem, keyMode);
  return keyPem;
}
