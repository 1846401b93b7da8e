/**
 * Blobs → files, several frames at a time: reading, zstd and writing happen in Node's thread pool, hashing here.
 * Never more than a few frames are in memory, however large a file is.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { writeAt, readAt } from '../../shared/files/files.ts';
import type { Bundle } from './bundle.ts';
import { nameFile } from '../../shared/errors.ts';
import { AssetsCorruptError } from './errors.ts';
import type { BundledFile } from './format.ts';

const decompress = promisify(zstdDecompress);
/** As many as Node's thread pool has threads by default. */
const framesAtOnce = 4;

export interface ExtractOptions {
  readonly bundle: Bundle;
  /** Has the folders the files belong in, and none of the files. */
  readonly dir: string;
  readonly onBytes: (written: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Writes every file of the bundle below `dir`, with its mode, its checksum verified, and synced to the disk.
 * Rejects when nothing is being written any more. @throws {AssetsCorruptError}
 */
export async function extractFiles(options: ExtractOptions): Promise<void> {
  const { bundle } = options;
  const failure = new AbortController();
  const stop = AbortSignal.any([options.signal, failure.signal]);
  const source = await open(bundle.path);
  const limit = limiter(framesAtOnce);
  try {
    await settled(
      bundle.manifest.files.map((file) =>
        extractFile({ ...options, signal: stop }, file, source, limit).catch((error: unknown) => {
          failure.abort(error); // the other files need not be finished
          throw error;
        }),
      ),
    );
  } finally {
    await source.close();
  }
}

async function extractFile(
  options: ExtractOptions,
  file: BundledFile,
  source: FileHandle,
  limit: Limiter,
): Promise<void> {
  const { bundle, dir, onBytes, signal } = options;
  const { frameSizeBytes } = bundle.manifest;
  const path = join(dir, file.path);
  const target = await open(path, 'wx', file.mode);
  try {
    const hash = createHash('sha256');
    let position = bundle.start + file.offset;
    let before = Promise.resolve();
    const frames: Promise<void>[] = [];
    for (const [index, length] of file.frames.entries()) {
      const previous = before;
      const from = position;
      before = limit(async () => {
        signal.throwIfAborted();
        const at = index * frameSizeBytes;
        const content = await readFrame(bundle.path, file, source, {
          from,
          length,
          sizeBytes: Math.min(frameSizeBytes, file.sizeBytes - at),
        });
        await writeAt(target, content, at);
        await previous; // hashes are made in order
        hash.update(content);
        onBytes(content.length);
      });
      frames.push(before);
      position += length;
    }
    await settled(frames);
    if (hash.digest('hex') !== file.sha256)
      throw new AssetsCorruptError(bundle.path, `${file.path} has a wrong checksum`);
    await target.chmod(file.mode); // whatever the umask made of it
    await target.sync();
  } catch (error) {
    throw nameFile(error, path);
  } finally {
    await target.close();
  }
}

async function readFrame(
  path: string,
  file: BundledFile,
  source: FileHandle,
  frame: { readonly from: number; readonly length: number; readonly sizeBytes: number },
): Promise<Buffer> {
  const packed = await readAt(source, frame.from, frame.length);
  const sized = { chunkSize: Math.max(64, frame.sizeBytes), maxOutputLength: Math.max(64, frame.sizeBytes) };
  const content = await decompress(packed, sized).catch((cause: unknown) => {
    throw new AssetsCorruptError(path, `${file.path} cannot be unpacked`, { cause });
  });
  if (content.length !== frame.sizeBytes) throw new AssetsCorruptError(path, `${file.path} has a wrong length`);
  return content;
}

type Limiter = (task: () => Promise<void>) => Promise<void>;

/** Runs tasks in the order they come, `width` at a time. */
function limiter(width: number): Limiter {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (task) => {
    if (running >= width) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      await task();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next(); // hands its place over
    }
  };
}

/** Waits for all, then throws the first failure, so that nothing is still at work when the caller continues. */
async function settled(tasks: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(tasks);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
