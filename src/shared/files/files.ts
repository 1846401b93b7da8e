/**
 * @module
 * Files that are whole or not there, also after a power cut.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { systemCode } from '../errors.ts';

/** Writes beside `path`, syncs, renames. Readers see the old text or the new one. Makes the folder (0700) if need be. */
export function writeFileAtomicSync(path: string, content: string | Uint8Array, mode: number): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  const fd = openSync(temporary, 'w', mode);
  try {
    fchmodSync(fd, mode); // the umask, and a left-over file's mode, do not decide
    writeSync(fd, typeof content === 'string' ? Buffer.from(content) : content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
}

/** As above, unless the file has this content already. @returns whether it was written */
export function writeFileIfChanged(path: string, content: string, mode: number): boolean {
  if (readFileIfExists(path) === content) return false;
  writeFileAtomicSync(path, content, mode);
  return true;
}

export function readFileIfExists(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The longest part of an absolute path that is there. */
export function existingPart(path: string): string {
  return existsSync(path) ? path : existingPart(dirname(path));
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
