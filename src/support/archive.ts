import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { writeFileAtomic } from '../shared/files/files.ts';

export interface ArchiveFile {
  readonly name: string;
  readonly text: string;
}

/** A .tar.gz of texts, mode 0600 whatever was there before, each below the folder `root`. */
export async function writeArchive(path: string, root: string, files: readonly ArchiveFile[]): Promise<void> {
  await writeFileAtomic(path, 0o600, async (file) => {
    const tar = pack();
    const written = pipeline(tar, createGzip(), async (parts: AsyncIterable<Uint8Array>) => {
      for await (const part of parts) await file.writeFile(part);
    });
    for (const { name, text } of files) tar.entry({ name: `${root}/${name}`, mode: 0o600 }, text);
    tar.finalize();
    await written;
  });
}
