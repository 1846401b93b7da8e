/**
 * @module
 * Files that are whole or not there, also after a power cut, whatever somebody else has put in their place before.
 * Every file whose path a person gives, or whose folder others may write to, is written by one of these.
 */
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { nameFile, systemCode } from '../errors.ts';
import { DeviceTargetError } from './errors.ts';
import { makeFolder } from './folders.ts';

/** Ours alone: whatever has this name already, a link or a pipe too, is an error. */
const createOnly = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Writes beside `path`, syncs, renames. Readers see the old text or the new one. Makes the folder (0700) if need be. What
 * had the name before, a link, a pipe, another owner's file, is replaced and neither written to nor read.
 */
export function writeFileAtomicSync(path: string, content: string | Uint8Array, mode: number, gid?: number): void {
  refuseDevice(path);
  makeFolder(dirname(path), 0o700);
  const temporary = temporaryBeside(path);
  const fd = openSync(temporary, createOnly, 0o600);
  try {
    try {
      if (gid !== undefined) fchownSync(fd, -1, gid);
      fchmodSync(fd, mode); // the umask does not decide
      writeFileSync(fd, content);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    removeIfPossibleSync(temporary);
    throw nameFile(error, path);
  }
}

/**
 * The same for what comes in parts.
 * @param write gets the file, and its name until it is renamed; if it throws, nothing has changed
 */
export async function writeFileAtomic<T>(
  path: string,
  mode: number,
  write: (file: FileHandle, temporary: string) => Promise<T>,
): Promise<T> {
  refuseDevice(path);
  makeFolder(dirname(path), 0o700);
  const temporary = temporaryBeside(path);
  const file = await open(temporary, createOnly, 0o600);
  try {
    try {
      await file.chmod(mode);
      const result = await write(file, temporary);
      await file.sync();
      await rename(temporary, path);
      return result;
    } finally {
      await file.close();
    }
  } catch (error) {
    await removeIfPossible(temporary);
    throw nameFile(error, path);
  }
}

/** What is of no use any more; a disk that fails keeps it, and the error before says more. */
export async function removeIfPossible(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}

/** The same for a file, at once. */
export function removeIfPossibleSync(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}

/** What was renamed or made in a folder is there after a power cut. */
export const syncFolder = (dir: string): Promise<void> => syncFile(dir);

/** What was written to it is there after a power cut. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path);
  try {
    await file.sync();
  } catch (error) {
    throw nameFile(error, path);
  } finally {
    await file.close();
  }
}

/** What names of files that are not yet whole end with. */
export const temporarySuffix = '.tmp';

/** A name that nobody guesses, for a file or a folder that gets `path`'s name when it is whole. */
export function temporaryBeside(path: string): string {
  return `${path}.${randomBytes(8).toString('hex')}${temporarySuffix}`;
}

/** A file that is opened for writing must be new. @returns its descriptor */
export function createFileSync(path: string, mode: number): number {
  return openSync(path, createOnly, mode);
}

/** As root one would replace `/dev/null` for everybody. */
function refuseDevice(path: string): void {
  const there = lstatSync(path, { throwIfNoEntry: false });
  const isDevice = there?.isCharacterDevice() === true || there?.isBlockDevice() === true;
  if (isDevice || (path.startsWith('/dev/') && !path.startsWith('/dev/shm/'))) throw new DeviceTargetError(path);
}

/**
 * As `writeFileAtomicSync`, unless the file has this content already; then it gets the mode and the group, if it has others.
 * @returns whether it was written
 */
export function writeFileIfChanged(path: string, content: string, mode: number, gid?: number): boolean {
  const fd = openOwnFile(path);
  try {
    if (fd === undefined || readFileSync(fd, 'utf8') !== content) {
      writeFileAtomicSync(path, content, mode, gid);
      return true;
    }
    const there = fstatSync(fd);
    if (gid !== undefined && there.gid !== gid) fchownSync(fd, -1, gid);
    if ((there.mode & 0o7777) !== mode) fchmodSync(fd, mode);
    return false;
  } catch (error) {
    throw nameFile(error, path);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Of a file of ours; a link, and what it leads to, stays as its owner made it. */
export function keepMode(path: string, mode: number): void {
  const fd = openOwnFile(path);
  if (fd === undefined) return;
  fchmodSync(fd, mode);
  closeSync(fd);
}

/** Somebody else's file with the right content may have another one in a moment, and so may one that has a second name. */
function openOwnFile(path: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined; // it is not there, or a link; what else it may be is said when it is replaced
  }
  const there = fstatSync(fd);
  if (there.isFile() && there.uid === process.geteuid?.() && there.nlink === 1) return fd;
  closeSync(fd);
  return undefined;
}

export function readFileIfExists(path: string): string | undefined {
  try {
    return readText(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** For what is only good to know: what cannot be read, whatever it is, is not there. */
export function readFileIfReadable(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

/** A disk that cannot read it is told with the file's name. */
export function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw nameFile(error, path);
  }
}

export function readText(path: string): string {
  return readBytes(path).toString('utf8');
}

/** An absolute path without links, as the kernel names what is mounted there; what is not there has its name. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
    return join(realPath(dirname(path)), basename(path));
  }
}

/** The longest part of an absolute path that is there. */
export function existingPart(path: string): string {
  return existsSync(path) ? path : existingPart(dirname(path));
}

/** Whatever has this name, a link that leads nowhere too. */
export function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

export function isExecutable(path: string): boolean {
  return isAllowed(path, constants.X_OK);
}

/** Not on a file system that is mounted read-only either. */
export function isWritable(path: string): boolean {
  return isAllowed(path, constants.W_OK);
}

function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

export { DeviceTargetError } from './errors.ts';
export { readAt, sha256OfFile, writeAt } from './bytes.ts';
export { foldersIn, letThrough, makeFolder, makeFolderIfPossible, namesIfReadable, namesIn } from './folders.ts';
