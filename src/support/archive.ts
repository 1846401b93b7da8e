import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';

export interface ArchiveFile {
  readonly name: string;
  readonly text: string;
}

/** A .tar.gz of texts, mode 0600, each below the folder `root`. */
export async function writeArchive(path: string, root: string, files: readonly ArchiveFile[]): Promise<void> {
  const tar = pack();
  const written = pipeline(tar, createGzip(), createWriteStream(path, { mode: 0o600 }));
  for (const { name, text } of files) tar.entry({ name: `${root}/${name}`, mode: 0o600 }, text);
  tar.finalize();
  await written;
}
