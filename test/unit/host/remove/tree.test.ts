import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseMounts } from '../../../../src/host/mounts/mounts.ts';
import { emptyFolder, removeTree } from '../../../../src/host/remove/tree.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

function tree() {
  const top = join(temporaryDir(), 'kagent');
  mkdirSync(join(top, 'pods/a/volume'), { recursive: true });
  writeFileSync(join(top, 'pods/a/volume/data'), 'precious');
  writeFileSync(join(top, 'pods/a/log'), '');
  writeFileSync(join(top, 'other'), '');
  return top;
}

test('a folder goes with all that is in it, and going again is no failure', async () => {
  const top = tree();
  expect(await removeTree(top)).toEqual({ stayed: [], failed: [] });
  expect(existsSync(top)).toBe(false);
  expect(await removeTree(top)).toEqual({ stayed: [], failed: [] });
});

test('what is mounted inside keeps its files and is named; everything beside it goes', async () => {
  const top = tree();
  const volume = join(top, 'pods/a/volume');
  expect(await removeTree(top, { mounts: [volume] })).toEqual({
    stayed: [`${volume}: something is mounted there`],
    failed: [],
  });
  expect(existsSync(join(volume, 'data'))).toBe(true);
  expect(readdirSync(top)).toEqual(['pods']);
  expect(readdirSync(join(top, 'pods/a'))).toEqual(['volume']);
});

test('a folder that is a mount itself is emptied and stays', async () => {
  const top = tree();
  expect(await removeTree(top, { mounts: [top] })).toEqual({
    stayed: [`${top}, with nothing of kagent in it: it is a mount`],
    failed: [],
  });
  expect(readdirSync(top)).toEqual([]);
});

test('what is to be kept stays without a word, and all beside it goes', async () => {
  const top = tree();
  const kept = join(top, 'pods/a/log');
  expect(await removeTree(top, { mounts: [], kept: [kept, join(top, 'never-was')] })).toEqual({
    stayed: [],
    failed: [],
  });
  expect(readdirSync(top, { recursive: true })).toEqual(['pods', 'pods/a', 'pods/a/log']);
});

test('a link that is to be kept is kept itself, wherever it leads', async () => {
  const top = tree();
  const link = join(top, 'elsewhere');
  symlinkSync(temporaryDir(), link);
  await emptyFolder(top, { mounts: [], kept: [link] });
  expect(readdirSync(top)).toEqual(['elsewhere']);
});

test('a folder that is only emptied stays, and a mount right in it is not touched', async () => {
  const top = tree();
  const disk = join(top, 'pods');
  expect(await emptyFolder(top, { mounts: [top, disk] })).toEqual({
    stayed: [`${disk}: something is mounted there`],
    failed: [],
  });
  expect(readdirSync(top)).toEqual(['pods']);
  expect(existsSync(join(disk, 'a/volume/data'))).toBe(true);
  expect(await emptyFolder(join(top, 'never-was'))).toEqual({ stayed: [], failed: [] });
});

test('a link goes, what it leads to stays', async () => {
  const top = tree();
  const outside = temporaryDir();
  writeFileSync(join(outside, 'mine'), '');
  symlinkSync(outside, join(top, 'link'));
  await removeTree(top);
  expect(readdirSync(outside)).toEqual(['mine']);
});

test('mount points are read as the kernel writes them, with spaces as \\040', () => {
  const mountinfo = '36 35 98:0 /a /mnt/my\\040disk rw - ext4 /dev/sda rw\n37 35 0:1 / /proc rw - proc proc rw\n';
  expect(parseMounts(mountinfo).map((mount) => mount.point)).toEqual(['/mnt/my disk', '/proc']);
});

test('of a folder that is a link to another disk, what is mounted inside keeps its files', async () => {
  const top = tree();
  const link = join(temporaryDir(), 'kubelet');
  symlinkSync(top, link);
  const volume = join(top, 'pods/a/volume');
  const outcome = await emptyFolder(link, { mounts: [volume], kept: [join(link, 'pods/a/log')] });
  expect(outcome).toEqual({ stayed: [`${volume}: something is mounted there`], failed: [] });
  expect(readdirSync(top, { recursive: true })).toEqual([
    'pods',
    'pods/a',
    'pods/a/log',
    'pods/a/volume',
    'pods/a/volume/data',
  ]);
});

test('a folder that is a link is emptied; the link and the folder it leads to stay', async () => {
  const top = tree();
  const link = join(temporaryDir(), 'kubelet');
  symlinkSync(top, link);
  expect(await removeTree(link, { mounts: [] })).toEqual({
    stayed: [`${link}: it is a link to ${top}, which is its owner's`],
    failed: [],
  });
  expect(readdirSync(top)).toEqual([]);
  expect(existsSync(link)).toBe(true);
});
