/**
 * How an executable travels in a release: `node scripts/build/compress.ts FILE` writes FILE.gz, which every box can unpack, and
 * FILE.zst, which is smaller. The bundle in it is compressed already and goes in as it is. The same bytes in, the same out.
 */
import { open, rename } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { openBundle } from '../../src/host/assets/assets.ts';
import { deflatedMember, storedMember } from '../../src/server/release/gzip.ts';
import { messageOf } from '../../src/shared/errors.ts';
import { readAt } from '../../src/shared/files/files.ts';
import { targetOf } from './target.ts';

const zstd = promisify(zstdCompress);
const pieceBytes = 8 * 2 ** 20;
const thorough = { [constants.ZSTD_c_compressionLevel]: 19, [constants.ZSTD_c_checksumFlag]: 1 };
const quick = { [constants.ZSTD_c_compressionLevel]: 1 };

/** @param program where the bundle begins */
async function compress(path: string, program: number): Promise<void> {
  const source = await open(path);
  try {
    const { size } = await source.stat();
    await written(`${path}.gz`, async function* () {
      for await (const pieces of batches(source, 0, program)) {
        yield* await Promise.all(pieces.map((piece) => deflatedMember(piece, { level: 9 })));
      }
      for await (const pieces of batches(source, program, size)) yield* pieces.map(storedMember);
    });
    await written(`${path}.zst`, async function* () {
      yield await zstd(await readAt(source, 0, program), { params: thorough });
      for await (const pieces of batches(source, program, size)) {
        yield* await Promise.all(pieces.map((piece) => zstd(piece, { params: quick })));
      }
    });
  } finally {
    await source.close();
  }
}

async function* batches(source: FileHandle, from: number, to: number): AsyncGenerator<Buffer[]> {
  for (let at = from; at < to;) {
    const batch: Buffer[] = [];
    for (; batch.length < availableParallelism() && at < to; at += pieceBytes) {
      batch.push(await readAt(source, at, Math.min(pieceBytes, to - at)));
    }
    yield batch;
  }
}

async function written(path: string, parts: () => AsyncGenerator<Buffer>): Promise<void> {
  const temporary = `${path}.tmp-${process.pid}`;
  const file = await open(temporary, 'w', 0o644);
  try {
    for await (const part of parts()) await file.writeFile(part);
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

try {
  const [, , path = '', arch = process.arch] = process.argv;
  await compress(path, (await openBundle(path, targetOf(arch).arch)).start);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
