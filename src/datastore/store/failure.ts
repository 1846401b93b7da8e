/** What an error says about the file at `path`: that it is damaged, or that the disk did not do what it was asked. */
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf, systemCode } from '../../shared/errors.ts';
import { removeIfPossibleSync, temporarySuffix } from '../../shared/files/files.ts';
import { DamagedRowError } from './checksums.ts';
import { StoreDamagedError, StoreDiskError } from './errors.ts';
import { MalformedMessageError } from '../../shared/protobuf/protobuf.ts';

const damageCodes = /^SQLITE_(?:CORRUPT|NOTADB)/;
const diskCodes = /^(?:SQLITE_(?:IOERR|CANTOPEN|READONLY|FULL|PERM)|EIO$|ENOSPC$|EDQUOT$|EROFS$|EFBIG$|EACCES$|EPERM$)/;

/** @returns undefined where the error says neither */
export function failureIn(path: string, error: unknown): StoreDamagedError | StoreDiskError | undefined {
  if (isDamage(error))
    return new StoreDamagedError(path, messageOf(error), { snapshot: newestSnapshot(path), cause: error });
  return isDiskError(error) ? new StoreDiskError(path, diskWords(path, error), { cause: error }) : undefined;
}

export function isDamage(error: unknown): boolean {
  return (
    damageCodes.test(systemCode(error) ?? '') ||
    error instanceof MalformedMessageError ||
    error instanceof DamagedRowError
  );
}

function isDiskError(error: unknown): boolean {
  return diskCodes.test(systemCode(error) ?? '');
}

/** SQLite says what it could not do, the disk says why, if it still says so. */
function diskWords(path: string, error: unknown): string {
  const code = systemCode(error) ?? '';
  const why = code.startsWith('SQLITE_') ? whyNoWrite(path) : undefined;
  return `${messageOf(error)}, ${code}${why === undefined ? '' : `; a file beside it: ${why}`}`;
}

/** A disk without room, however it says so: SQLite knows only one. */
export function isFull(path: string, error: unknown): boolean {
  const code = systemCode(error);
  return code === 'SQLITE_FULL' || (code === 'SQLITE_IOERR_WRITE' && whyNoWrite(path) === 'EDQUOT');
}

const probeBytes = 64 << 10;

/** @returns the system's error when a file beside `path` is written; undefined: it can be */
function whyNoWrite(path: string): string | undefined {
  const probe = `${path}.probe`;
  try {
    writeFileSync(probe, Buffer.alloc(probeBytes), { mode: 0o600, flush: true });
    return undefined;
  } catch (error) {
    return systemCode(error) ?? messageOf(error);
  } finally {
    removeIfPossibleSync(probe);
  }
}

/** Where `kagent datastore snapshot save` puts them. */
function newestSnapshot(path: string): string | undefined {
  const dir = join(dirname(path), 'snapshots');
  try {
    const names = readdirSync(dir).filter((name) => !name.endsWith('.part') && !name.endsWith(temporarySuffix));
    const files = names.flatMap((name) => {
      const stat = statSync(join(dir, name), { throwIfNoEntry: false });
      return stat?.isFile() === true ? [{ path: join(dir, name), modifiedMs: stat.mtimeMs }] : [];
    });
    return files.toSorted((a, b) => b.modifiedMs - a.modifiedMs)[0]?.path;
  } catch {
    return undefined; // no such folder; that the store is damaged is what is to be said
  }
}
