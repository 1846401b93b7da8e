import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import type { Header } from 'tar-stream';
import { expect, test } from 'vitest';
import { busyboxImage } from '../../../scripts/build/images.ts';
import { writeImage } from '../../../scripts/build/oci.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

interface Entry {
  readonly header: Header;
  readonly content: Buffer;
}

async function entriesOf(archive: Buffer): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  const reader = extract();
  reader.end(archive);
  for await (const entry of reader)
    entries.set(entry.header.name, { header: entry.header, content: await buffer(entry) });
  return entries;
}

const image = busyboxImage('x64', Buffer.from('program'), ['bin/busybox', 'bin/sh', 'usr/bin/wget']);

test('an image archive is the same for the same content', async () => {
  const dir = temporaryDir();
  const paths = [join(dir, 'one.tar'), join(dir, 'two.tar')];
  for (const path of paths) await writeImage(path, image);
  const [one, two] = await Promise.all(paths.map((path) => readFile(path)));
  expect(one?.equals(two ?? Buffer.alloc(0))).toBe(true);
});

test('its index names the image, and every digest leads to a blob of that content', async () => {
  const path = join(temporaryDir(), 'busybox.tar');
  await writeImage(path, image);
  const archive = await entriesOf(await readFile(path));
  for (const [name, { content }] of archive) {
    if (!name.startsWith('blobs/')) continue;
    expect(name).toBe(`blobs/sha256/${createHash('sha256').update(content).digest('hex')}`);
  }
  const json = (name: string) => JSON.parse(archive.get(name)?.content.toString() ?? '') as Record<string, never>;
  const blob = (digest: string) => `blobs/sha256/${digest.slice('sha256:'.length)}`;
  const index = json('index.json') as unknown as {
    manifests: [{ digest: string; annotations: Record<string, string> }];
  };
  expect(index.manifests[0].annotations['io.containerd.image.name']).toBe('kagent.sh/busybox:1');
  const manifest = json(blob(index.manifests[0].digest)) as unknown as { layers: [{ digest: string; size: number }] };
  const layer = await entriesOf(archive.get(blob(manifest.layers[0].digest))?.content ?? Buffer.alloc(0));
  expect(layer.get('bin/busybox')?.header).toMatchObject({ mode: 0o755, uid: 0, size: 7 });
  expect(layer.get('bin/sh')?.header).toMatchObject({ type: 'symlink', linkname: '/bin/busybox' });
  expect(layer.get('tmp/')?.header).toMatchObject({ type: 'directory', mode: 0o1777 });
  expect(layer.get('etc/passwd')?.content.toString()).toContain('root:x:0:0:');
});
