import { createHash } from 'node:crypto';
import { createReadStream, open, read } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';

/** A file, or a part of one, as it is served. */
export interface ReleaseFile {
  /** `kagent-amd64`, `kagent-amd64.gz`, `bundle-amd64`, `pause.tar` */
  readonly name: string;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Bytes `start` to `end`, both included. */
  read(start: number, end: number): ReleaseStream;
}

export type ReleaseStream = Readable & { readonly bytesRead: number };

/** Reads all of it once. */
export async function withSum(file: Omit<ReleaseFile, 'sha256'>): Promise<ReleaseFile> {
  const hash = createHash('sha256');
  for await (const chunk of file.read(0, file.sizeBytes - 1)) hash.update(chunk as Buffer);
  return { ...file, sha256: hash.digest('hex') };
}

/**
 * A stream that is destroyed closes its file, `autoClose` or not: the next download would read whatever else the process
 * has opened under that number.
 */
const keptOpen = { open, read, close: (_: number, done: (error: null) => void) => done(null) };

/** Bytes `start` to `end` of a file that stays open. */
export function readPart({ fd }: FileHandle, start: number, end: number): ReleaseStream {
  return createReadStream('', { fd, start, end, autoClose: false, fs: keptOpen });
}

/** From `offset` to the file's end. */
export async function partOf(file: FileHandle, name: string, offset = 0): Promise<ReleaseFile> {
  const { size } = await file.stat();
  return await withSum({
    name,
    sizeBytes: size - offset,
    read: (start, end) => readPart(file, offset + start, offset + end),
  });
}
