import { chmodSync, existsSync, mkdirSync, mkdtempSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Volumes } from '../../../../src/agent/volumes/volumes.ts';
import type { Mount } from '../../../../src/host/mounts/mounts.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const place = (...names: readonly string[]) => {
  const root = join(temporaryDir(), 'storage');
  return { root, path: join(root, ...names) };
};

test('a volume is a folder that everybody may write to, whatever the umask; making it twice changes nothing', () => {
  const volume = place('shop', 'data');
  const volumes = new Volumes();
  volumes.make(volume);
  expect(statSync(volume.path).mode & 0o777).toBe(0o777);
  chmodSync(volume.path, 0o700);
  writeFileSync(join(volume.path, 'kept'), '');
  volumes.make(volume);
  expect(statSync(volume.path).mode & 0o777).toBe(0o700);
  expect(existsSync(join(volume.path, 'kept'))).toBe(true);
});

test('a volume goes with all that is in it, what its links lead to stays, and removing it twice is no error', async () => {
  const volume = place('data');
  const volumes = new Volumes();
  volumes.make(volume);
  const outside = mkdtempSync(join(temporaryDir(), 'outside-'));
  writeFileSync(join(outside, 'precious'), '');
  symlinkSync(outside, join(volume.path, 'link'));
  mkdirSync(join(volume.path, 'deep', 'er'), { recursive: true });
  await volumes.remove(volume);
  expect(existsSync(volume.path)).toBe(false);
  expect(existsSync(join(outside, 'precious'))).toBe(true);
  await volumes.remove(volume);
});

test('a volume is not made anew while its folder is being removed, and is as soon as that is done', async () => {
  const volume = place('data');
  const volumes = new Volumes();
  volumes.make(volume);
  writeFileSync(join(volume.path, 'old'), '');
  const removal = volumes.remove(volume);
  expect(() => volumes.make(volume)).toThrow(expect.objectContaining({ code: 'VOLUME_BUSY' }) as Error);
  await removal;
  volumes.make(volume);
  expect(existsSync(join(volume.path, 'old'))).toBe(false);
});

test.each([
  ['is not below it', (root: string) => join(root, '..', 'elsewhere')],
  ['climbs out', (root: string) => `${root}/../elsewhere`],
  ['is the folder itself', (root: string) => root],
  ['is not absolute', () => 'data'],
  ['ends with a slash', (root: string) => `${root}/data/`],
])('a path that %s is refused', async (_, pathOf) => {
  const { root } = place();
  const volumes = new Volumes();
  const volume = { root, path: pathOf(root) };
  expect(() => volumes.make(volume)).toThrow(expect.objectContaining({ code: 'VOLUME_PATH' }) as Error);
  await expect(volumes.remove(volume)).rejects.toMatchObject({ code: 'VOLUME_PATH' });
});

test('nothing is made or removed through a symlink', async () => {
  const { root } = place();
  const outside = mkdtempSync(join(temporaryDir(), 'outside-'));
  mkdirSync(join(outside, 'data'));
  mkdirSync(root);
  symlinkSync(outside, join(root, 'shop'));
  symlinkSync(outside, join(root, 'data'));
  const volumes = new Volumes();
  for (const path of [join(root, 'shop', 'data'), join(root, 'data')]) {
    expect(() => volumes.make({ root, path })).toThrow(/it is a symlink/);
    await expect(volumes.remove({ root, path })).rejects.toMatchObject({ code: 'VOLUME_PATH' });
  }
  expect(existsSync(join(outside, 'data'))).toBe(true);
});

test('a volume in which something is mounted is not removed', async () => {
  const volume = place('data');
  const mounted: Mount = {
    id: '1',
    parentId: '0',
    device: '0:1',
    root: '/',
    point: join(volume.path, 'disk'),
    options: [],
    type: 'ext4',
  };
  const volumes = new Volumes({ mounts: () => [mounted] });
  volumes.make(volume);
  await expect(volumes.remove(volume)).rejects.toThrow(/something is mounted at .*disk/);
  expect(existsSync(volume.path)).toBe(true);
});

test('a folder that cannot be made says why, with its path', () => {
  const { root } = place();
  writeFileSync(root, 'a file');
  const path = join(root, 'data');
  expect(() => new Volumes().make({ root, path })).toThrow(/storage\/data cannot be made or removed: E(NOTDIR|EXIST)/);
});
