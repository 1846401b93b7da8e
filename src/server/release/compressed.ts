/**
 * An executable as it travels: its program compressed, the bundle behind it, which is compressed already, as it is.
 *
 *     executable    [program          ][bundle         ]
 *     .gz           [deflated members][stored members…]
 *                    ^ in a file without a name        ^ made while they are read
 *
 * Only the program is kept a second time, for as long as this process lives.
 */
import { rm, open, statfs } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { readAt, writeAt } from '../../shared/files/files.ts';
import { deflatedMember, pieceBytes, storedMember, storedMemberBytes } from './gzip.ts';
import { readPart, withSum } from './served-file.ts';
import type { ReleaseFile, ReleaseStream } from './served-file.ts';

/** Better ones take twice the time for four per cent, while the first box waits: docs/decisions/0038-the-file.md. */
const level = 1;
/** Half of Node's thread pool. */
const piecesAtOnce = 2;
/** A disk that is nearly full is left to the datastore. */
const spareBytes = 512 * 2 ** 20;

export interface Executable {
  readonly file: FileHandle;
  /** Where the bundle begins; undefined without one. */
  readonly bundleStart: number | undefined;
}

export interface CompressedOptions {
  /** Of the executable. */
  readonly name: string;
  readonly workDir: string;
  /** Takes what has to be closed in the end. */
  readonly hold: (file: FileHandle) => void;
}

/** @returns undefined where there is no room for it */
export async function compressed(
  { file, bundleStart }: Executable,
  { name, workDir, hold }: CompressedOptions,
): Promise<ReleaseFile | undefined> {
  const { size } = await file.stat();
  const { bavail, bsize } = await statfs(workDir);
  if (bavail * bsize < spareBytes) return undefined;
  const programBytes = bundleStart ?? size;
  const kept = await withoutName(join(workDir, `${name}.tmp-${process.pid}`));
  const keptBytes = await deflate(file, programBytes, kept).catch(async (error: unknown) => {
    await kept.close();
    throw error;
  });
  hold(kept);
  const bundleBytes = size - programBytes;
  const whole = Math.floor(bundleBytes / pieceBytes);
  const rest = bundleBytes % pieceBytes;
  const storedBytes = whole * storedMemberBytes(pieceBytes) + (rest === 0 ? 0 : storedMemberBytes(rest));
  return await withSum({
    name: `${name}.gz`,
    sizeBytes: keptBytes + storedBytes,
    read(start, end) {
      const fromKept = start < keptBytes ? readPart(kept, start, Math.min(end, keptBytes - 1)) : [];
      const fromBundle = stored(file, programBytes, { start: Math.max(0, start - keptBytes), end: end - keptBytes });
      return streamOf(fromKept, fromBundle);
    },
  });
}

/** A file that is gone when this process is, however it ends. */
async function withoutName(path: string): Promise<FileHandle> {
  await rm(path, { force: true });
  const file = await open(path, 'wx+', 0o600);
  await rm(path);
  return file;
}

/** The first `sizeBytes` of a file. @returns how many they have become */
async function deflate(file: FileHandle, sizeBytes: number, to: FileHandle): Promise<number> {
  const member = async (at: number) =>
    deflatedMember(await readAt(file, at, Math.min(pieceBytes, sizeBytes - at)), { level });
  let written = 0;
  for (let at = 0; at < sizeBytes; at += piecesAtOnce * pieceBytes) {
    const starts = Array.from({ length: piecesAtOnce }, (_, index) => at + index * pieceBytes);
    for (const bytes of await Promise.all(starts.filter((start) => start < sizeBytes).map(member))) {
      await writeAt(to, bytes, written);
      written += bytes.length;
    }
  }
  return written;
}

/** Bytes `start` to `end` of the members of a file from `offset` on. */
async function* stored(
  file: FileHandle,
  offset: number,
  { start, end }: { readonly start: number; readonly end: number },
): AsyncGenerator<Buffer> {
  const memberBytes = storedMemberBytes(pieceBytes);
  for (let index = Math.floor(start / memberBytes); index * memberBytes <= end; index += 1) {
    const member = storedMember(await readAt(file, offset + index * pieceBytes, pieceBytes));
    const at = index * memberBytes;
    yield member.subarray(Math.max(0, start - at), end + 1 - at);
  }
}

function streamOf(...parts: readonly (Iterable<Buffer> | AsyncIterable<Buffer>)[]): ReleaseStream {
  const stream: Readable & { bytesRead: number } = Object.assign(
    Readable.from(counted(), { objectMode: false, highWaterMark: pieceBytes }),
    { bytesRead: 0 },
  );
  async function* counted() {
    for (const part of parts) {
      for await (const bytes of part) {
        stream.bytesRead += bytes.length;
        yield bytes;
      }
    }
  }
  return stream;
}
