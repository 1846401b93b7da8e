import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bundlePath, openBundle } from '../../../../src/host/assets/assets.ts';
import { trailerBytes } from '../../../../src/host/assets/format.ts';
import { fakeBundle } from '../../../helpers/bundle.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const files = [
  { path: 'bin/one', content: 'one' },
  { path: 'images/pause.tar', content: 'tar', image: 'kagent.sh/pause:0.1' },
];

test('a bundle lists its files, whether it stands alone or behind an executable', async () => {
  const dir = temporaryDir();
  const path = await fakeBundle(dir, files);
  const alone = await openBundle(path);
  const joined = join(dir, 'kagent');
  await writeFile(joined, Buffer.concat([Buffer.from('\u007fELF and so on'), await readFile(path)]));
  const behind = await openBundle(joined);
  expect(alone.manifest.files.map((file) => [file.path, file.sizeBytes, file.image])).toEqual([
    ['bin/one', 3, undefined],
    ['images/pause.tar', 3, 'kagent.sh/pause:0.1'],
  ]);
  expect(behind.manifest).toEqual(alone.manifest);
  expect(behind.identity).toBe(alone.identity);
  expect(behind.start).toBe('\u007fELF and so on'.length);
});

test('the same content has the same identity, other content another', async () => {
  const dir = temporaryDir();
  const identities = await Promise.all(
    [files, files, [{ path: 'bin/one', content: 'two' }]].map(async (content, index) => {
      const bundle = await openBundle(await fakeBundle(dir, content, { name: `bundle-${index}` }));
      return bundle.identity;
    }),
  );
  expect(identities[1]).toBe(identities[0]);
  expect(identities[2]).not.toBe(identities[0]);
});

test('a missing file, an executable without a bundle and an empty file say where a bundle may come from', async () => {
  const dir = temporaryDir();
  const plain = join(dir, 'plain');
  await writeFile(plain, 'x'.repeat(1000));
  const empty = join(dir, 'empty');
  await writeFile(empty, '');
  for (const path of [join(dir, 'none'), plain, empty]) {
    await expect(openBundle(path)).rejects.toMatchObject({ code: 'ASSETS_MISSING', fault: 'operator' });
    await expect(openBundle(path)).rejects.toThrow('--bundle FILE');
  }
});

test('a changed bundle.json and a shortened file are corrupt', async () => {
  const dir = temporaryDir();
  const path = await fakeBundle(dir, files);
  const bytes = await readFile(path);
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(bytes.length - trailerBytes - 10) ^ 1, bytes.length - trailerBytes - 10);
  await writeFile(path, changed);
  await expect(openBundle(path)).rejects.toMatchObject({ code: 'ASSETS_CORRUPT' });
  await writeFile(path, bytes.subarray(bytes.length - trailerBytes - 10));
  await expect(openBundle(path)).rejects.toMatchObject({ code: 'ASSETS_CORRUPT' });
});

test("another architecture's bundle is refused by name", async () => {
  const path = await fakeBundle(temporaryDir(), files, { arch: 's390x' });
  await expect(openBundle(path)).rejects.toMatchObject({ code: 'ASSETS_WRONG_ARCH' });
  await expect(openBundle(path)).rejects.toThrow('are for s390x');
});

test('the flag comes before KAGENT_BUNDLE, and that before what the build left', () => {
  expect(bundlePath('/a', { KAGENT_BUNDLE: '/b' })).toBe('/a');
  expect(bundlePath(undefined, { KAGENT_BUNDLE: '/b' })).toBe('/b');
  expect(bundlePath(undefined, { KAGENT_BUNDLE: '' })).toMatch(/\/dist\/bundle$/);
});
