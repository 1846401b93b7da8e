/** Files in `agent/images`, brought into a real containerd. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { extract, pack } from 'tar-stream';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { writeImage } from '../../../scripts/build/oci.ts';
import { imagesComponent } from '../../../src/agent/runtime/runtime.ts';
import { listImages } from '../../../src/agent/runtime/containerd-api.ts';
import { createEventLog } from '../../../src/shared/events/events.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { startContainerd } from '../../helpers/containerd.ts';
import type { TestContainerd } from '../../helpers/containerd.ts';
import { buildGoProgram, goBuildTimeoutMs } from '../../helpers/go.ts';
import { serveImages } from '../../helpers/registry.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';

const fixtures = resolve(import.meta.dirname, '../../fixtures/images');

/** A node's folders, with the component that a start makes of them. */
async function box() {
  const dir = temporaryDir();
  const containerd = await startContainerd(dir);
  const userDir = join(dir, 'images');
  for (const folder of [userDir, join(dir, 'bundled')]) mkdirSync(folder);
  const start = async (later = Promise.resolve()) => {
    const events = createEventLog({ keep: 100 });
    const imported: string[] = [];
    const component = imagesComponent('images', [], {
      ...containerd,
      bundledDir: join(dir, 'bundled'),
      later: { dir: join(dir, 'bundled', 'later'), when: later },
      userDir,
      recordPath: join(dir, 'images.json'),
      snapshotter: 'native',
      log: { ...silentLog, info: (_, fields) => imported.push(String(fields?.['archive'])) },
      events,
    });
    onTestFinished(() => component.stop());
    await component.start(new AbortController().signal);
    return { component, events, imported, warnings: () => events.recent(100).map(({ message }) => message) };
  };
  return { dir, containerd, userDir, path: (name: string) => join(userDir, name), start };
}

async function tarOf(dir: string, name: string): Promise<Buffer> {
  const path = join(dir, 'archive.tar');
  await writeImage(path, {
    name,
    arch: process.arch,
    files: [{ path: '/word', content: Buffer.from(name), mode: 0o644 }],
  });
  return readFileSync(path);
}

/** As `tar -cf - .` writes it. */
async function withDots(archive: Buffer): Promise<Buffer> {
  const [reader, writer] = [extract(), pack()];
  reader.end(archive);
  writer.entry({ name: './', type: 'directory' });
  for await (const entry of reader) writer.entry({ name: `./${entry.header.name}` }, await buffer(entry));
  writer.finalize();
  return await buffer(writer);
}

/** As `docker save` writes it: the index is its own, and names lack their registry. */
async function asDocker(archive: Buffer, tag: string): Promise<Buffer> {
  const [reader, writer] = [extract(), pack()];
  const blobs = new Map<string, Buffer>();
  reader.end(archive);
  for await (const entry of reader) blobs.set(entry.header.name, await buffer(entry));
  const parsed = [...blobs.values()].flatMap((blob) => {
    try {
      return [
        JSON.parse(blob.toString()) as {
          readonly config?: { readonly digest?: string };
          readonly layers?: readonly { readonly digest: string }[];
        },
      ];
    } catch {
      return [];
    }
  });
  const manifest = parsed.find(({ layers }) => layers !== undefined);
  const file = (digest = '') => `blobs/sha256/${digest.slice('sha256:'.length)}`;
  const layers = manifest?.layers?.map(({ digest }) => file(digest)) ?? [];
  const text = JSON.stringify([{ Config: file(manifest?.config?.digest), RepoTags: [tag], Layers: layers }]);
  for (const [name, blob] of blobs) if (name.startsWith('blobs/')) writer.entry({ name }, blob);
  writer.entry({ name: 'manifest.json' }, text);
  writer.finalize();
  return await buffer(writer);
}

async function names({ socketPath }: TestContainerd): Promise<readonly string[]> {
  const images = await listImages(socketPath, AbortSignal.timeout(10_000));
  return images
    .filter(({ name }) => !name.startsWith('sha256:')) // the CRI's own names
    .map(({ name, labels }) => `${name} ${labels['io.cri-containerd.pinned'] ?? 'is not pinned'}`)
    .toSorted();
}

test('every form of archive that k3s takes is imported, a bad one is a warning, and what is lost comes back', async () => {
  const { dir, containerd, path, start } = await box();
  const tar = (word: string) => tarOf(dir, `kagent.test/${word}:1`);
  writeFileSync(path('a.tar'), await tar('plain'));
  writeFileSync(path('B.TAR'), await tar('capitals'));
  writeFileSync(path('c.tar.gz'), gzipSync(await tar('gzip')));
  writeFileSync(path('d.tgz'), gzipSync(await tar('tgz')));
  writeFileSync(path('e.tar.zst'), zstdCompressSync(await tar('zstd')));
  writeFileSync(path('f.tzst'), zstdCompressSync(await tar('tzst')));
  copyFileSync(join(fixtures, 'bzip2.tar.bz2'), path('g.tar.bz2'));
  copyFileSync(join(fixtures, 'lz4.tar.lz4'), path('h.tar.lz4'));
  writeFileSync(path('i.tar'), await withDots(await tar('dots')));
  writeFileSync(path('j.tar'), await asDocker(await tar('docker'), 'saved:1'));
  writeFileSync(path('k.tar'), gzipSync(await tar('misnamed')));
  mkdirSync(path('l.tar'));
  symlinkSync(path('a.tar'), path('m.tar'));
  symlinkSync('/not/there.tar', path('dangling.tar'));
  symlinkSync('itself.tar', path('itself.tar'));
  writeFileSync(path('half.tar.gz'), gzipSync(await tar('half')).subarray(0, 300));
  writeFileSync(path('empty.tar'), '');
  writeFileSync(path('other.tar.xz'), '\xfd7zXZ\0');
  writeFileSync(path('xz.tar'), Buffer.from('fd377a585a0000', 'hex'));
  execFileSync('mkfifo', [path('pipe.tar')]);
  writeFileSync(path('.hidden.tar'), 'none');

  const { component, warnings } = await start();
  const expected = ['capitals', 'bzip2', 'dots', 'gzip', 'lz4', 'misnamed', 'plain', 'tgz', 'tzst', 'zstd'];
  const all = [
    ...expected.map((word) => `kagent.test/${word}:1 pinned`),
    'docker.io/library/saved:1 pinned',
  ].toSorted();
  expect(await names(containerd)).toEqual(all);
  expect(warnings().toSorted()).toEqual([
    expect.stringMatching(/\/dangling\.tar: it links to nothing$/),
    expect.stringMatching(/\/empty\.tar: .*unrecognized image format/),
    expect.stringMatching(/\/half\.tar\.gz: .*unexpected EOF/),
    expect.stringMatching(/\/itself\.tar: ELOOP/),
    expect.stringMatching(/\/other\.tar\.xz: its name ends neither as archives do/),
    expect.stringMatching(/\/pipe\.tar: it is not a file/),
    expect.stringMatching(/\/xz\.tar: .*compressed with xz/),
  ]);
  expect(component.health()).toMatchObject({
    status: 'True',
    message: expect.stringContaining('dangling.tar: it links'),
  });
  await component.stop();

  for (const word of ['dots', 'lz4'])
    execFileSync(join(containerd.binDir, 'ctr'), [
      '-a',
      containerd.socketPath,
      '-n',
      'k8s.io',
      'images',
      'rm',
      `kagent.test/${word}:1`,
    ]);
  const again = await start();
  expect(await names(containerd)).toEqual(all);
  expect(again.imported.toSorted()).toEqual([path('h.tar.lz4'), path('i.tar')]);
});

test('files that are added, repaired or linked to anew while it runs are taken', async () => {
  const { dir, containerd, userDir, path, start } = await box();
  writeFileSync(path('bad.tar'), 'no archive, but as long as one block of it');
  symlinkSync(join(dir, 'later.tar'), path('link.tar'));
  const { warnings } = await start();
  expect(warnings()).toHaveLength(2);
  writeFileSync(join(dir, 'later.tar'), await tarOf(dir, 'kagent.test/later:1'));
  writeFileSync(path('bad.tar'), await tarOf(dir, 'kagent.test/repaired:1'));
  writeFileSync(path('new.tar'), await tarOf(dir, 'kagent.test/new:1'));
  const all = ['later', 'new', 'repaired'].map((word) => `kagent.test/${word}:1 pinned`);
  await eventually(async () => (await names(containerd)).join() === all.join(), {
    what: 'the images',
    withinMs: 30_000,
  });
  // The folder itself may go and come, be a file or a link to nothing.
  rmSync(userDir, { recursive: true });
  symlinkSync('/not/there', userDir);
  rmSync(userDir);
  writeFileSync(userDir, '');
  await eventually(() => warnings().find((text) => text.includes('ENOTDIR')), { what: 'the warning' });
  rmSync(userDir);
  mkdirSync(join(dir, 'moved'));
  writeFileSync(join(dir, 'moved/more.tar'), await tarOf(dir, 'kagent.test/more:1'));
  renameSync(join(dir, 'moved'), userDir);
  await eventually(async () => (await names(containerd)).includes('kagent.test/more:1 pinned'), { withinMs: 30_000 });
});

let registryProgram = '';
beforeAll(async () => {
  registryProgram = await buildGoProgram({ module: 'test/fixtures/registry' });
}, goBuildTimeoutMs);

test('images of a list are pulled and stay; what is not to be had is named, and holds up nothing else', async () => {
  const { dir, containerd, path, start } = await box();
  const registry = await serveImages(join(dir, 'registry'), registryProgram, { one: 'first', 'team/two': 'second' });
  writeFileSync(path('list.TXT'), `# images\r\n\n${registry}/one:1 \n  not an image\n${registry}/three:1\n`);
  writeFileSync(path('binary.txt'), Buffer.from([1, 0, 2]));
  const { warnings } = await start();
  await eventually(() => warnings().length === 2, { what: 'the warnings', withinMs: 30_000 });
  expect(warnings().toSorted()).toEqual([
    expect.stringMatching(/\/binary\.txt: .*it is not a text/),
    expect.stringMatching(
      /\/list\.TXT: not every image in the list .* is there: not an image: this is not the name of an image; 127\.0\.0\.1:\d+\/three:1: .*not found/,
    ),
  ]);
  expect(await names(containerd)).toContain(`${registry}/one:1 pinned`);
  writeFileSync(path('more.txt'), `${registry}/team/two:1`);
  await eventually(async () => (await names(containerd)).includes(`${registry}/team/two:1 pinned`), {
    withinMs: 30_000,
  });
});

test('what no start needs is imported when the start is over', async () => {
  const { dir, containerd, start } = await box();
  const later = join(dir, 'bundled', 'later');
  mkdirSync(later);
  writeFileSync(join(later, 'big.tar'), await tarOf(dir, 'kagent.test/big:1'));
  const over = Promise.withResolvers<void>();
  const { component } = await start(over.promise);
  expect(component.health().status).toBe('True');
  expect(await names(containerd)).toEqual([]);
  over.resolve();
  await eventually(async () => (await names(containerd)).includes('kagent.test/big:1 pinned'));
});
