/**
 * @module
 * What was acknowledged, written down beside the file after each commit: a log that the disk has damaged looks to SQLite as if it
 * ended earlier, and all that came later would be gone without a word.
 *
 *   commit ──synced──▶ noted here, not synced ──▶ answered
 *
 * It is written after the sync of what it says, so whatever of it survives a power cut is true. A killed process leaves the
 * newest one, since the kernel has it.
 * Form: 'kagent\0\0', then four doubles, little endian: the file's own id, commits, last id, CRC-32 of what is before.
 */
import { closeSync, constants, copyFileSync, existsSync, fsyncSync, openSync, statSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { systemCode } from '../../shared/errors.ts';
import { readBytes } from '../../shared/files/files.ts';

export interface Acknowledged {
  /** Of the store's file; a restored one has another. */
  readonly fileId: number;
  /** How many commits there were that did other things than add versions. */
  readonly commits: number;
  /** Of the newest version that was added since the last of those; 0: none. */
  readonly lastId: number;
}

const magic = 'kagent\0\0';
const sizeBytes = 40;
const checksumAt = 32;

export function acknowledgedPath(path: string): string {
  return `${path}.acknowledged`;
}

/** @param path the store's file @returns undefined where there is none, or none that can be read: nothing is known then */
export function readAcknowledged(path: string): Acknowledged | undefined {
  const file = acknowledgedPath(path);
  if (!existsSync(file)) return undefined;
  const bytes = readBytes(file);
  const isWhole = bytes.length === sizeBytes && bytes.toString('latin1', 0, magic.length) === magic;
  if (!isWhole || bytes.readDoubleLE(checksumAt) !== crc32(bytes.subarray(0, checksumAt))) return undefined;
  return { fileId: bytes.readDoubleLE(8), commits: bytes.readDoubleLE(16), lastId: bytes.readDoubleLE(24) };
}

/** @returns what of it is missing in a file that holds `found`, in words */
export function missingIn(found: Acknowledged, acknowledged: Acknowledged | undefined): string | undefined {
  if (acknowledged?.fileId !== found.fileId || found.commits > acknowledged.commits) return undefined;
  const { commits, lastId } = acknowledged;
  if (found.commits < commits)
    return `of its commits that changed more than keys ${commits - found.commits} are missing`;
  return found.lastId < lastId ? `its last ${lastId - found.lastId} versions are missing` : undefined;
}

/** The log as it was found, for whoever wants to save more of it than SQLite does. @returns its name, if there is one */
export function keepDamagedLog(path: string): string | undefined {
  const kept = `${path}-wal.damaged`;
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false });
  if (!existsSync(kept) && log !== undefined && log.size > 0)
    copyFileSync(`${path}-wal`, kept, constants.COPYFILE_EXCL);
  return existsSync(kept) ? kept : undefined;
}

export class AcknowledgedFile {
  readonly #fd: number;
  readonly #bytes = Buffer.alloc(sizeBytes);

  constructor(path: string) {
    this.#bytes.write(magic, 'latin1');
    this.#fd = openSync(acknowledgedPath(path), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  }

  /** Once, at the start: later ones change its bytes in place. */
  begin(acknowledged: Acknowledged): void {
    this.write(acknowledged);
    fsyncSync(this.#fd);
  }

  /** @throws what the disk says, unless that is that it is full: an older one is true as well */
  write({ fileId, commits, lastId }: Acknowledged): void {
    this.#bytes.writeDoubleLE(fileId, 8);
    this.#bytes.writeDoubleLE(commits, 16);
    this.#bytes.writeDoubleLE(lastId, 24);
    this.#bytes.writeDoubleLE(crc32(this.#bytes.subarray(0, checksumAt)), checksumAt);
    try {
      for (let done = 0; done < sizeBytes;) done += writeSync(this.#fd, this.#bytes, done, sizeBytes - done, done);
    } catch (error) {
      if (systemCode(error) !== 'ENOSPC' && systemCode(error) !== 'EDQUOT') throw error;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
