/**
 * Small bundles, made by the same functions as the real one.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { compressFile, writeBundle } from '../../scripts/build/pack.ts';

/** Small, so that a test's files have several frames. */
export const quick = { level: 1, frameSizeBytes: 4096 };

export interface FakeFile {
  readonly path: string;
  readonly content: string | Uint8Array;
  readonly image?: string;
  /** `fake` otherwise. */
  readonly component?: string;
}

/** Writes a bundle of the given files into `dir`. @returns its path */
export async function fakeBundle(
  dir: string,
  files: readonly FakeFile[],
  options: {
    readonly arch?: string;
    /** Of the kagent it was made for. */
    readonly kagent?: string;
    readonly links?: readonly { path: string; target: string }[];
    readonly name?: string;
  } = {},
): Promise<string> {
  const name = options.name ?? 'bundle';
  const work = join(dir, `${name}-sources`);
  const packed = await Promise.all(
    files.map(async (file) => {
      const source = join(work, file.path);
      await mkdir(dirname(source), { recursive: true });
      await writeFile(source, file.content);
      const blob = join(work, `${basename(file.path)}.zst`);
      const mode = file.path.startsWith('bin/') ? 0o755 : 0o644;
      const image = file.image === undefined ? {} : { image: file.image };
      const about = { component: file.component ?? 'fake', version: '1.0', licence: 'MIT', mode, ...image };
      return { source, path: file.path, ...about, blob, ...(await compressFile(source, blob, quick)) };
    }),
  );
  const path = join(dir, name);
  await writeBundle(path, {
    kagent: options.kagent ?? '0.0.0',
    arch: options.arch ?? process.arch,
    frameSizeBytes: quick.frameSizeBytes,
    components: [{ name: 'fake', version: '1.0', licence: 'MIT' }],
    files: packed,
    links: options.links ?? [],
  });
  return path;
}
