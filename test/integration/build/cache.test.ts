import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hashOf, hashOfFolder, openCache } from '../../../scripts/build/cache.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const key = hashOf('some inputs');
const month = 31 * 24 * 3600;

test('an entry is made once, and found by another build', async () => {
  const dir = temporaryDir();
  let made = 0;
  const entry = {
    name: 'runc',
    key,
    build: async (into: string) => {
      made += 1;
      await writeFile(join(into, 'runc'), 'program');
    },
  };
  const path = await (await openCache(dir)).entry(entry);
  const again = await openCache(dir);
  expect(await again.has(entry)).toBe(true);
  expect(await again.entry(entry)).toBe(path);
  expect(made).toBe(1);
  expect(await readFile(join(path, 'runc'), 'utf8')).toBe('program');
  expect(again.durationMs('runc')).toBeTypeOf('number');
});

test('a build that fails leaves no entry', async () => {
  const dir = temporaryDir();
  const cache = await openCache(dir);
  const build = async (into: string) => {
    await writeFile(join(into, 'half'), '');
    throw new Error('the compiler said no');
  };
  await expect(cache.entry({ name: 'runc', key, build })).rejects.toThrow('the compiler said no');
  expect(await cache.has({ name: 'runc', key })).toBe(false);
  expect(await readdir(dir)).toEqual([]);
});

test('two builds of the same thing at once both end with one whole entry', async () => {
  const dir = temporaryDir();
  const bothBegan = Promise.withResolvers<void>();
  let began = 0;
  const build = async (into: string) => {
    began += 1;
    if (began === 2) bothBegan.resolve();
    await bothBegan.promise;
    await writeFile(join(into, 'runc'), 'program');
  };
  const caches = await Promise.all([openCache(dir), openCache(dir)]);
  const paths = await Promise.all(caches.map((cache) => cache.entry({ name: 'runc', key, build })));
  expect(new Set(paths).size).toBe(1);
  expect(await readFile(join(paths[0] ?? '', 'runc'), 'utf8')).toBe('program');
  expect((await readdir(dir)).filter((name) => name.includes('.tmp-'))).toEqual([]);
});

test('entries unused for a month go, others and running builds stay', async () => {
  const dir = temporaryDir();
  const cache = await openCache(dir);
  const old = Date.now() / 1000 - month;
  for (const name of ['old-entry', 'new-entry', 'runc.tmp-old', 'runc.tmp-new']) await mkdir(join(dir, name));
  for (const name of ['old-entry', 'runc.tmp-old']) await utimes(join(dir, name), old, old);
  await cache.prune();
  expect((await readdir(dir)).toSorted()).toEqual(['new-entry', 'runc.tmp-new']);
});

test("a folder's hash follows names and contents", async () => {
  const hashes = await Promise.all(
    [{ a: '1' }, { a: '1' }, { a: '2' }, { b: '1' }, { a: '1', b: '' }].map(async (files) => {
      const dir = temporaryDir();
      for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content);
      return hashOfFolder(dir);
    }),
  );
  expect(hashes[1]).toBe(hashes[0]);
  expect(new Set(hashes).size).toBe(4);
});
