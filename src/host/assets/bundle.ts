import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { isSea } from 'node:sea';
import { messageOf, systemCode } from '../../shared/errors.ts';
import { AssetsCorruptError, AssetsMissingError, AssetsWrongArchError } from './errors.ts';
import { BundleManifest, decodeTrailer, trailerBytes } from './format.ts';
import { readAt } from '../../shared/files/files.ts';

/** A bundle whose bundle.json is verified; its files are when they are unpacked. */
export interface Bundle {
  /** The file that holds it: kagent itself, or a bundle alone. */
  readonly path: string;
  /** sha256 of bundle.json. */
  readonly identity: string;
  /** Where the bundle begins in the file. */
  readonly start: number;
  readonly manifest: BundleManifest;
}

/**
 * The file to look in: the one asked for, `KAGENT_BUNDLE`, this executable, or in development what the build left in `dist/`.
 * @param asked the value of `--bundle`
 */
export function bundlePath(asked: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
  const named = asked ?? env['KAGENT_BUNDLE'];
  if (named !== undefined && named !== '') return named;
  return isSea() ? process.execPath : fileURLToPath(new URL('../../../dist/bundle', import.meta.url));
}

/**
 * Reads the end of a file: trailer, then bundle.json.
 * @param arch Node's name; this box's own unless given
 * @throws {AssetsMissingError} without a trailer. @throws {AssetsCorruptError} @throws {AssetsWrongArchError}
 */
export async function openBundle(path: string, arch: string = process.arch): Promise<Bundle> {
  const file = await open(path).catch((cause: unknown) => {
    const why = systemCode(cause) === 'ENOENT' ? 'there is no such file' : messageOf(cause);
    throw new AssetsMissingError(path, why, { cause });
  });
  try {
    return await readBundle(path, file, arch);
  } finally {
    await file.close();
  }
}

async function readBundle(path: string, file: FileHandle, arch: string): Promise<Bundle> {
  const { size } = await file.stat();
  const trailer = decodeTrailer(await readAt(file, Math.max(0, size - trailerBytes), trailerBytes));
  if (trailer === undefined) throw new AssetsMissingError(path, 'it does not end with a bundle');
  const start = size - trailer.bundleBytes;
  if (start < 0 || trailer.manifestOffset + trailer.manifestBytes + trailerBytes !== trailer.bundleBytes) {
    throw new AssetsCorruptError(path, 'the trailer does not fit the file');
  }
  const json = await readAt(file, start + trailer.manifestOffset, trailer.manifestBytes);
  if (createHash('sha256').update(json).digest('hex') !== trailer.manifestSha256) {
    throw new AssetsCorruptError(path, 'bundle.json has another checksum than the trailer says');
  }
  const manifest = parseManifest(path, json);
  if (manifest.arch !== arch) throw new AssetsWrongArchError(path, manifest.arch, arch);
  return { path, identity: trailer.manifestSha256, start, manifest };
}

function parseManifest(path: string, json: Buffer): BundleManifest {
  try {
    return BundleManifest.parse(JSON.parse(json.toString('utf8')));
  } catch (cause) {
    throw new AssetsCorruptError(path, 'bundle.json is of a format this kagent does not know', { cause });
  }
}
