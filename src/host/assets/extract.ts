/**
 * Blobs → files, several frames at a time: reading, hashing, zstd and writing happen in Node's thread pool.
 * Never more than a few frames are in memory, however large a file is.
 */
import { open, rename } from 'node:fs/promises';
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
  /** Has the folders the files belong in. */
  readonly dir: string;
  /** In the order in which they are wanted. */
  readonly files: readonly BundledFile[];
  readonly onBytes: (written: number) => void;
  /** Told of each that has its name; what it throws is thrown here. */
  readonly onFile: (file: BundledFile) => void;
  readonly signal: AbortSignal;
}

/**
 * Writes the files below `dir`, with their modes. A file gets its name when it is whole and verified; nothing is synced yet.
 * Rejects when nothing is being written any more. @throws {AssetsCorruptError}
 */
export async function extractFiles(options: ExtractOptions): Promise<void> {
  const { bundle, dir, files, onFile } = options;
  const failure = new AbortController();
  const stop = AbortSignal.any([options.signal, failure.signal]);
  const source = await open(bundle.path);
  const limit = limiter(framesAtOnce);
  try {
    await settled(
      files.map(async (file) => {
        try {
          await extractFile({ ...options, signal: stop }, file, source, limit);
          await rename(partOf(dir, file), join(dir, file.path));
          onFile(file);
        } catch (error) {
          failure.abort(error); // the other files need not be finished
          throw error;
        }
      }),
    );
  } finally {
    await source.close();
  }
}

const partOf = (dir: string, { path }: BundledFile) => join(dir, `${path}.part`);

async function extractFile(
  options: ExtractOptions,
  file: BundledFile,
  source: FileHandle,
  limit: Limiter,
): Promise<void> {
  const { bundle, dir, onBytes, signal } = options;
  const { frameSizeBytes } = bundle.manifest;
  const path = partOf(dir, file);
  // Called at once, in the order of the files: whose frames come first is decided before anything is opened.
  const opened = open(path, 'w', file.mode);
  opened.catch(() => {}); // each frame hears of it, and frames wait
  let position = bundle.start + file.offset;
  const frames = file.frames.map((frame, index) => {
    const from = position;
    position += frame.compressedBytes;
    return limit(async () => {
      signal.throwIfAborted();
      const at = index * frameSizeBytes;
      const sizeBytes = Math.min(frameSizeBytes, file.sizeBytes - at);
      const content = await readFrame(bundle.path, file, source, { ...frame, from, sizeBytes });
      await writeAt(await opened, content, at);
      onBytes(content.length);
    });
  });
  try {
    await settled(frames);
    await (await opened).chmod(file.mode); // whatever the umask made of it
  } catch (error) {
    throw nameFile(error, path);
  } finally {
    await (await opened).close();
  }
}

type Frame = BundledFile['frames'][number];

async function readFrame(
  path: string,
  file: BundledFile,
  source: FileHandle,
  frame: Frame & { readonly from: number; readonly sizeBytes: number },
): Promise<Buffer> {
  const packed = await readAt(source, frame.from, frame.compressedBytes);
  const sum = Buffer.from(await crypto.subtle.digest('SHA-256', packed)).toString('hex');
  if (sum !== frame.sha256) throw new AssetsCorruptError(path, `${file.path} has a wrong checksum`);
  const sized = { chunkSize: frame.sizeBytes + 64, maxOutputLength: frame.sizeBytes + 64 }; // one that is filled asks for a second
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
