/**
 * @module
 * A snapshot as a file: the store's own file at one moment, then the sha256 of all that, as `etcdctl snapshot save` writes
 * it down. Taken back by cutting the checksum off. Nothing here needs a running store or the SQLite driver.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { access, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { makeFolder } from '../../shared/files/files.ts';
import { SnapshotInvalidError, StoreExistsError } from './errors.ts';
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
  await rm(path);
  const { size } = await file.stat();
  return { sizeBytes: size, chunks: readToEnd(file) };
}

/** As etcd; each chunk is one message. */
const chunkBytes = 32 << 10;

async function* readToEnd(file: FileHandle): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkBytes));
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** Reads the whole file. @throws {SnapshotInvalidError} when it is not what was saved, or not a snapshot of a kagent */
export async function verifySnapshot(path: string): Promise<SnapshotFacts> {
  const { size } = await stat(path);
  const sizeBytes = size - checksumBytes;
  if (sizeBytes < header.sizeBytes || sizeBytes % 512 !== 0) {
    throw new SnapshotInvalidError(path, `${size} bytes are not whole pages and a checksum: it was cut off`);
  }
  const formatVersion = await readFormatVersion(path);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { end: sizeBytes - 1 })) hash.update(chunk as Buffer);
  const sha256 = hash.digest('hex');
  const stored = await readAt(path, sizeBytes, checksumBytes);
  if (stored.toString('hex') !== sha256) throw new SnapshotInvalidError(path, 'its checksum does not match');
  return { sizeBytes, sha256, formatVersion };
}

/**
 * Puts the store of a snapshot into `dir`, which gets it whole or not at all.
 * @throws {SnapshotInvalidError}
 * @throws {StoreExistsError} when there is a store in `dir` already
 */
export async function restoreSnapshot(path: string, dir: string): Promise<SnapshotFacts> {
  const facts = await verifySnapshot(path);
  const target = join(dir, storeFileName);
  makeFolder(dir, 0o700);
  // A write-ahead log that is left over would be played into the restored file.
  for (const file of [target, `${target}-wal`]) if (await exists(file)) throw new StoreExistsError(file);
  const partial = `${target}.restoring`;
  try {
    const source = createReadStream(path, { end: facts.sizeBytes - 1 });
    await pipeline(source, createWriteStream(partial, { mode: 0o600, flush: true }));
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  await syncDir(dir);
  return facts;
}

async function readFormatVersion(path: string): Promise<number> {
  const bytes = await readAt(path, 0, header.sizeBytes);
  const isSqlite = bytes.toString('latin1', 0, header.magic.length) === header.magic;
  const formatVersion = bytes.readUInt32BE(header.formatVersionAt);
  if (!isSqlite || formatVersion === 0) throw new SnapshotInvalidError(path, 'it is no snapshot of a kagent datastore');
  return formatVersion;
}

async function readAt(path: string, position: number, length: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, position);
    return buffer;
  } finally {
    await file.close();
  }
}

async function syncDir(dir: string): Promise<void> {
  const handle = await open(dir);
  await handle.sync();
  await handle.close();
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
