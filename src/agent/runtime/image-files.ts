import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, systemCode } from '../../shared/errors.ts';

/** What a person, or kagent, put into a folder of images. */
export interface ImageFile {
  readonly path: string;
  readonly kind: 'archive' | 'list' | 'unusable';
  /** Of what is unusable: why. */
  readonly problem: string;
  /** Both are zero of what is unusable. */
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

// As k3s has them, in whatever letters; what is inside is told by its first bytes.
const archiveName = /\.(tar|tgz|tzst|tbz2?|gz|zstd?|bz2|lz4)$/i;
const listName = /\.txt$/i;

/**
 * By name. Links count as what they lead to; folders and hidden files, which may be half of a copy, are passed over. A
 * folder that cannot be read is as bad as a file that cannot.
 */
export function imageFilesIn(dir: string): readonly ImageFile[] {
  try {
    const names = readdirSync(dir).filter((name) => !name.startsWith('.'));
    return names.toSorted().flatMap((name) => imageFile(join(dir, name)));
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return systemCode(error) === 'ENOENT' ? [] : [unusable(dir, messageOf(error))];
  }
}

function imageFile(path: string): readonly ImageFile[] {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) return [];
    const file = { path, problem: '', sizeBytes: stat.size, modifiedMs: stat.mtimeMs };
    if (!stat.isFile()) return [unusable(path, 'it is not a file')];
    if (archiveName.test(path)) return [{ ...file, kind: 'archive' }];
    if (listName.test(path)) return [{ ...file, kind: 'list' }];
    return [unusable(path, otherName)];
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return [unusable(path, systemCode(error) === 'ENOENT' ? 'it links to nothing' : messageOf(error))];
  }
}

const otherName =
  'its name ends neither as archives do (.tar, .tar.gz, .tgz, .tar.zst, .tzst, .tar.bz2, .tbz, .tar.lz4) nor as lists of images do (.txt)';

function unusable(path: string, problem: string): ImageFile {
  return { path, kind: 'unusable', problem, sizeBytes: 0, modifiedMs: 0 };
}

/** Whether it is as it was. */
export function isSameFile(one: ImageFile, other: Pick<ImageFile, 'sizeBytes' | 'modifiedMs'> | undefined): boolean {
  return one.sizeBytes === other?.sizeBytes && one.modifiedMs === other.modifiedMs;
}
