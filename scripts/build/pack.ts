/**
 * Files → bundle, in the format of src/host/assets/format.ts.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, readFile, rename } from 'node:fs/promises';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { encodeTrailer, trailerBytes } from '../../src/host/assets/format.ts';
import type { BundledFile, BundleManifest } from '../../src/host/assets/format.ts';

const compress = promisify(zstdCompress);

export interface CompressOptions {
  /** zstd's: 19 for what is kept, 1 for tests. */
  readonly level: number;
  readonly frameSizeBytes: number;
}

/** Frames large enough to compress as well as one piece would, small enough that every core has one. */
export const kept: CompressOptions = { level: 19, frameSizeBytes: 8 * 2 ** 20 };
const framesAtOnce = 4;

/** One file to be in the bundle. */
export interface PackFile {
  readonly source: string;
  readonly path: string;
  readonly component: string;
  readonly version: string;
  readonly licence: string;
  readonly mode: number;
  readonly image?: string;
}

/** A file's zstd frames, one after another in the file `blob`. */
export interface Blob {
  readonly blob: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** The length of each. */
  readonly frames: readonly number[];
}

/** Compresses `source` into the file `blob`. */
export async function compressFile(source: string, blob: string, how: CompressOptions): Promise<Omit<Blob, 'blob'>> {
  const hash = createHash('sha256');
  const frames: number[] = [];
  let sizeBytes = 0;
  const options = { params: { [constants.ZSTD_c_compressionLevel]: how.level, [constants.ZSTD_c_checksumFlag]: 0 } };
  const output = createWriteStream(blob);
  for await (const batch of batchesOf(source, how.frameSizeBytes)) {
    for (const frame of batch) hash.update(frame);
    sizeBytes += batch.reduce((sum, frame) => sum + frame.length, 0);
    const packed = await Promise.all(batch.map((frame) => compress(frame, options))); // in Node's thread pool
    for (const frame of packed) {
      frames.push(frame.length);
      output.write(frame);
    }
  }
  output.end();
  await new Promise((resolve, reject) => output.once('close', resolve).once('error', reject));
  return { sizeBytes, sha256: hash.digest('hex'), frames };
}

async function* batchesOf(source: string, frameSizeBytes: number): AsyncGenerator<Buffer[]> {
  const file = await open(source);
  try {
    for (let ended = false; !ended;) {
      const batch: Buffer[] = [];
      while (batch.length < framesAtOnce && !ended) {
        const frame = Buffer.alloc(frameSizeBytes);
        let filled = 0;
        while (filled < frameSizeBytes) {
          const { bytesRead } = await file.read(frame, filled, frameSizeBytes - filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        ended = filled < frameSizeBytes;
        if (filled > 0) batch.push(frame.subarray(0, filled));
      }
      yield batch;
    }
  } finally {
    await file.close();
  }
}

export interface BundleContent {
  readonly kagent: string;
  readonly arch: string;
  /** What the blobs were made with. */
  readonly frameSizeBytes: number;
  readonly components: readonly BundleManifest['components'][number][];
  readonly files: readonly (PackFile & Blob)[];
  readonly links: readonly BundleManifest['links'][number][];
}

/** Writes blobs, bundle.json and trailer. @returns the bundle's identity */
export async function writeBundle(path: string, content: BundleContent): Promise<string> {
  const files = content.files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  let offset = 0;
  const listed: BundledFile[] = [];
  for (const file of files) {
    const frames = await framesOf(file);
    const compressedBytes = frames.reduce((sum, frame) => sum + frame.compressedBytes, 0);
    listed.push({
      name: basename(file.path),
      path: file.path,
      component: file.component,
      version: file.version,
      licence: file.licence,
      mode: file.mode,
      sizeBytes: file.sizeBytes,
      sha256: file.sha256,
      offset,
      compressedBytes,
      frames,
      ...(file.image === undefined ? {} : { image: file.image }),
    });
    offset += compressedBytes;
  }
  const manifest: BundleManifest = {
    format: 2,
    kagent: content.kagent,
    arch: content.arch,
    frameSizeBytes: content.frameSizeBytes,
    components: [...content.components],
    files: listed,
    links: content.links.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
  };
  const json = Buffer.from(JSON.stringify(manifest));
  const manifestSha256 = createHash('sha256').update(json).digest('hex');
  const bundleBytes = offset + json.length + trailerBytes;
  const trailer = encodeTrailer({ bundleBytes, manifestOffset: offset, manifestBytes: json.length, manifestSha256 });
  await concatenate(path, 0o644, [...files.map((file) => file.blob), json, trailer]);
  return manifestSha256;
}

async function framesOf({ blob, frames }: Blob): Promise<BundledFile['frames']> {
  const content = await readFile(blob);
  let from = 0;
  return frames.map((compressedBytes) => {
    const frame = content.subarray(from, (from += compressedBytes));
    return { compressedBytes, sha256: createHash('sha256').update(frame).digest('hex') };
  });
}

/** Writes the parts, files by path or bytes as they are, one behind another. */
export async function concatenate(path: string, mode: number, parts: readonly (string | Uint8Array)[]): Promise<void> {
  const temporary = `${path}.tmp-${process.pid}`;
  const output = createWriteStream(temporary, { mode });
  await pipeline(async function* () {
    for (const part of parts) {
      if (typeof part === 'string') yield* createReadStream(part, { highWaterMark: 1 << 20 });
      else yield part;
    }
  }, output);
  await rename(temporary, path);
}
