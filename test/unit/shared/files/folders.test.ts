import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isThere, letThrough, makeFolder, namesIfReadable, namesIn } from '../../../../src/shared/files/files.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const src = resolve(import.meta.dirname, '../../../../src');
const modeOf = (path: string) => statSync(path).mode & 0o7777;

describe.each([0o000, 0o022, 0o077])('with umask %o', (umask) => {
  function withUmask(work: () => void): void {
    const before = process.umask(umask);
    onTestFinished(() => void process.umask(before));
    work();
    process.umask(before);
  }

  test.each([0o755, 0o750, 0o700])('a folder and those made for it have the mode that was asked for: %o', (mode) => {
    const dir = temporaryDir();
    withUmask(() => makeFolder(join(dir, 'a/b/c/'), mode));
    expect(['a', 'a/b', 'a/b/c'].map((path) => modeOf(join(dir, path)))).toEqual([mode, mode, mode]);
  });
});

test('a folder that is there, and a link to one, stay as their owner made them', () => {
  const dir = temporaryDir();
  mkdirSync(join(dir, 'own'));
  chmodSync(join(dir, 'own'), 0o2710);
  symlinkSync('own', join(dir, 'link'));
  expect(makeFolder(join(dir, 'own'), 0o755)).toBe(false);
  expect(makeFolder(join(dir, 'link/below'), 0o700)).toBe(true);
  expect([modeOf(join(dir, 'own')), modeOf(join(dir, 'own/below'))]).toEqual([0o2710, 0o700]);
});

test('a folder that cannot be made since the file system is read-only is refused with that reason', () => {
  const dir = temporaryDir();
  const files = JSON.stringify(join(src, 'shared/files/files.ts'));
  const program = `import { makeFolder } from ${files};
try { makeFolder(process.argv[1] + '/a/b', 0o755) } catch (error) { console.log(error.message) }`;
  const node = [process.execPath, '--input-type=module', '-e', program, dir];
  const readOnly = [
    '--user',
    '--map-root-user',
    '--mount',
    'sh',
    '-c',
    'mount -t tmpfs -o ro none "$0" && exec "$@"',
    dir,
  ];
  expect(execFileSync('unshare', [...readOnly, ...node], { encoding: 'utf8' })).toMatch(
    /^EROFS: read-only file system/,
  );
});

test('everybody is let through a folder, and nothing else about it changes', () => {
  const dir = temporaryDir();
  for (const [before, after] of [
    [0o700, 0o711],
    [0o2750, 0o2751],
    [0o755, 0o755],
  ] as const) {
    chmodSync(dir, before);
    letThrough(dir);
    expect(modeOf(dir)).toBe(after);
  }
});

const using = (words: RegExp) =>
  readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && words.test(readFileSync(join(src, file), 'utf8')))
    .toSorted();

test('folders are made with a mode of their own everywhere but below /sys, and where a missing parent is an error', () => {
  expect(using(/\bmkdir(Sync)?\(/)).toEqual(['host/process/cgroup.ts', 'lab/up.ts', 'shared/files/folders.ts']);
});

test('the umask, which is that of all threads, is set in one place, for children', () => {
  expect(using(/\bumask\(/)).toEqual(['agent/open-host.ts']);
});

test('what is in a folder has its names; a folder that is not there has none, one that is a file only where it does not matter', () => {
  const dir = temporaryDir();
  writeFileSync(join(dir, 'file'), '');
  expect(namesIn(dir)).toEqual(['file']);
  expect(namesIn(join(dir, 'none'))).toEqual([]);
  expect(() => namesIn(join(dir, 'file'))).toThrow('ENOTDIR');
  expect(namesIfReadable(join(dir, 'file'))).toEqual([]);
});

test('a link that leads nowhere is there', () => {
  const dir = temporaryDir();
  symlinkSync('nowhere', join(dir, 'link'));
  expect([isThere(join(dir, 'link')), isThere(join(dir, 'nowhere'))]).toEqual([true, false]);
});
