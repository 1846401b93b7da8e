import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { systemCode } from '../errors.ts';
import type { Log } from '../log/log.ts';

/**
 * Makes a folder and those above it that are missing, each with this mode: a umask can only take rights away, and whose it
 * was must not decide. A folder that is there stays as its owner made it.
 * @returns whether it was missing
 */
export function makeFolder(path: string, mode: number): boolean {
  const wanted = resolve(path);
  const highest = makeMissing(wanted, mode);
  if (highest === undefined) return false;
  for (let made = wanted; ; made = dirname(made)) {
    setMode(made, mode);
    if (made === highest) return true;
  }
}

/** @returns the highest that was made. @throws on a read-only file system EROFS, where Node has ENOENT */
function makeMissing(path: string, mode: number): string | undefined {
  try {
    return mkdirSync(path, { recursive: true, mode });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') accessSync(lowestPresent(path), constants.W_OK);
    throw error;
  }
}

function lowestPresent(path: string): string {
  return existsSync(path) ? path : lowestPresent(dirname(path));
}

/**
 * The same for what a person may put files into. Something else in its place, such as a link to nothing, is a warning: whoever looks
 * there finds no files.
 * @returns whether it was missing, and is there now
 */
export function makeFolderIfPossible(path: string, mode: number, log: Pick<Log, 'warn'>): boolean {
  try {
    return makeFolder(path, mode);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    log.warn('folder not made', { path, error });
    return false;
  }
}

/** Names of what is in a folder; none of one that is not there. */
export function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The same for what is only good to know: none of one that cannot be looked into either. */
export function namesIfReadable(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return [];
  }
}

/** Names of the folders in one; none of one that is not there, or cannot be looked into. */
export function foldersIn(path: string): readonly string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return [];
  }
}

/** Not through a link that somebody has put in its place meanwhile. */
function setMode(folder: string, mode: number): void {
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    fchmodSync(fd, mode);
  } finally {
    closeSync(fd);
  }
}

/**
 * Lets everybody pass through a folder of ours to what is in it, which has modes of its own. An earlier kagent, or somebody's
 * strict umask, may have closed it.
 */
export function letThrough(path: string): void {
  const { mode } = statSync(path);
  if ((mode & 0o111) !== 0o111) chmodSync(path, (mode & 0o7777) | 0o111);
}
