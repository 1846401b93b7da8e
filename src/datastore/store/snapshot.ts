/**
 * @module
 * A snapshot as a file: the store's own file at one moment, then the sha256 of all that, as `etcdctl snapshot save` writes
 * it down. Taken back by cutting the checksum off. Nothing here needs a running store or the SQLite driver.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf, nameFile } from '../../shared/errors.ts';
import { makeFolder, readAt } from '../../shared/files/files.ts';
import { SnapshotFailedError, SnapshotInvalidError } from './errors.ts';
import type { Snapshot } from './shapes.ts';

export interface SnapshotFacts {
  /** The store in it, without the checksum. */
  readonly sizeBytes: number;
  /** Of the store in it, in lower-case hex. */
  readonly sha256: string;
  readonly formatVersion: number;
}

export const storeFileName = 'store.db';

const checksumBytes = 32;
/** Of SQLite's file format, section 1.3 "The Database Header". */
const header = { sizeBytes: 100, magic: 'SQLite format 3\0', formatVersionAt: 60 } as const;

/** The copy of a store as a stream; the file loses its name at once, and so its space when it has been read. */
export async function readSnapshot(path: string): Promise<Snapshot> {
  const file = await open(path);
  try {
    await rm(path);
    const { size } = await file.stat();
    return { sizeBytes: size, chunks: readToEnd(path, file, size) };
  } catch (error) {
    await file.close(); // Node ends a process that forgets one
    throw new SnapshotFailedError(path, messageOf(error));
  }
}

/** As etcd; each chunk is one message. */
const chunkBytes = 32 << 10;

async function* readToEnd(path: string, file: FileHandle, sizeBytes: number): AsyncGenerator<Uint8Array> {
  try {
    for (let leftBytes = sizeBytes; leftBytes > 0;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkBytes));
      if (bytesRead === 0) throw new SnapshotFailedError(path, `${leftBytes} bytes of the copy are missing`);
      leftBytes -= bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } catch (error) {
    throw nameFile(error, path);
  } finally {
    await file.close();
  }
}

/** Reads the whole file. @throws {SnapshotInvalidError} when it is not what was saved, or not a snapshot of a kagent */
export async function verifySnapshot(path: string): Promise<SnapshotFacts> {
  const whole = await verifyChecksum(path, () => readFormatVersion(path));
  return { ...whole, formatVersion: whole.looked };
}

/**
 * Of a store's snapshot or an etcd's: both end with the checksum of what is before. `look`: at its beginning, before all of it is
 * read. @throws {SnapshotInvalidError} and what `look` throws
 */
export async function verifyChecksum<T>(
  path: string,
  look: () => Promise<T>,
): Promise<Pick<SnapshotFacts, 'sizeBytes' | 'sha256'> & { readonly looked: T }> {
  const { size } = await stat(path);
  const sizeBytes = size - checksumBytes;
  if (sizeBytes < header.sizeBytes || sizeBytes % 512 !== 0) {
    throw new SnapshotInvalidError(path, `${size} bytes are not whole pages and a checksum: it was cut off`);
  }
  const looked = await look();
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { end: sizeBytes - 1 })) hash.update(chunk as Buffer);
  const sha256 = hash.digest('hex');
  const stored = await readPart(path, sizeBytes, checksumBytes);
  if (stored.toString('hex') !== sha256) throw new SnapshotInvalidError(path, 'its checksum does not match');
  return { sizeBytes, sha256, looked };
}

/**
 * Writes the store of a snapshot to `target`, synced; its folder is made. What was written is compared with the checksum too.
 * @throws {SnapshotInvalidError}
 */
export async function unpackSnapshot(path: string, target: string): Promise<SnapshotFacts> {
  const facts = await verifySnapshot(path); // before anything is made
  makeFolder(dirname(target), 0o700);
  const hash = createHash('sha256');
  const hashed = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(undefined, chunk);
    },
  });
  const source = createReadStream(path, { end: facts.sizeBytes - 1 });
  await pipeline(source, hashed, createWriteStream(target, { mode: 0o600, flush: true })).catch((error: unknown) => {
    throw nameFile(error, target);
  });
  if (hash.digest('hex') !== facts.sha256) throw new SnapshotInvalidError(path, 'it was read differently each time');
  return facts;
}

async function readFormatVersion(path: string): Promise<number> {
  const bytes = await readPart(path, 0, header.sizeBytes);
  if (bytes.length < header.sizeBytes) throw new SnapshotInvalidError(path, 'it was cut off');
  const isSqlite = bytes.toString('latin1', 0, header.magic.length) === header.magic;
  const formatVersion = bytes.readUInt32BE(header.formatVersionAt);
  if (!isSqlite || formatVersion === 0) throw new SnapshotInvalidError(path, 'it is no snapshot of a kagent datastore');
  return formatVersion;
}

async function readPart(path: string, position: number, length: number): Promise<Buffer> {
  const file = await open(path);
  try {
    return await readAt(file, position, length);
  } finally {
    await file.close();
  }
}
