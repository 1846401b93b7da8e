import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, readlink, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openBundle, unpack } from '../../../../src/host/assets/assets.ts';
import type { Bundle } from '../../../../src/host/assets/assets.ts';
import { leadsToFinished } from '../../../../src/host/assets/versions.ts';
import { fakeBundle, quick } from '../../../helpers/bundle.ts';
import type { FakeFile } from '../../../helpers/bundle.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const large = Buffer.from(Array.from({ length: 5 * quick.frameSizeBytes + 17 }, (_, index) => (index * 31) % 251));
const files: readonly FakeFile[] = [
  { path: 'bin/hyperkube', content: large },
  { path: 'bin/empty', content: '' },
  { path: 'cni/bridge', content: 'bridge' },
  { path: 'images/pause.tar', content: 'pause', image: 'kagent.sh/pause:0.1' },
];
const links = [{ path: 'bin/kubelet', target: 'hyperkube' }];
const signal = new AbortController().signal;
/** Early use in no particular order. */
const atOnce = { first: [], settled: Promise.resolve() };
const unpackChild = join(import.meta.dirname, '../../../fixtures/unpack-child.ts');

async function bundleIn(dir: string, name = 'bundle', content = files): Promise<Bundle> {
  return openBundle(await fakeBundle(dir, content, { links, name }));
}

test('unpacks every file with its content, mode and links, and tells how far it is', async () => {
  const dir = temporaryDir();
  const bundle = await bundleIn(dir);
  const progress: number[] = [];
  const result = await unpack({
    bundle,
    dataDir: dir,
    signal,
    onProgress: ({ doneBytes }) => progress.push(doneBytes),
  });
  expect(await readFile(join(result.binDir, 'hyperkube'))).toEqual(large);
  expect(await readFile(join(result.binDir, 'kubelet'))).toEqual(large);
  expect((await stat(join(result.binDir, 'hyperkube'))).mode & 0o777).toBe(0o755);
  expect((await stat(join(result.dir, 'images/pause.tar'))).mode & 0o777).toBe(0o644);
  expect((await stat(join(result.binDir, 'empty'))).size).toBe(0);
  expect(await readFile(join(result.cniDir, 'bridge'), 'utf8')).toBe('bridge');
  expect(result.images).toEqual([{ name: 'kagent.sh/pause:0.1', path: join(result.dir, 'images/pause.tar') }]);
  expect(await readlink(join(dir, 'data/current'))).toBe(bundle.identity);
  expect(progress.at(-1)).toBe(large.length + 11);
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
});

test('does nothing when it is done, and repairs a folder whose sizes are wrong', async () => {
  const dir = temporaryDir();
  const bundle = await bundleIn(dir);
  const first = await unpack({ bundle, dataDir: dir, signal });
  const inode = async () => (await stat(join(first.binDir, 'hyperkube'))).ino;
  const before = await inode();
  await unpack({ bundle, dataDir: dir, signal });
  expect(await inode()).toBe(before);
  await truncate(join(first.binDir, 'hyperkube'), 5);
  await unpack({ bundle, dataDir: dir, signal });
  expect(await readFile(join(first.binDir, 'hyperkube'))).toEqual(large);
  expect(await namesIn(dir)).toEqual([bundle.identity, 'current']);
});

test('a changed byte is found, and repaired, only when asked to verify', async () => {
  const dir = temporaryDir();
  const bundle = await bundleIn(dir);
  const { cniDir } = await unpack({ bundle, dataDir: dir, signal });
  await writeFile(join(cniDir, 'bridge'), 'bridgE');
  await unpack({ bundle, dataDir: dir, signal });
  expect(await readFile(join(cniDir, 'bridge'), 'utf8')).toBe('bridgE');
  await unpack({ bundle, dataDir: dir, signal, verify: true });
  expect(await readFile(join(cniDir, 'bridge'), 'utf8')).toBe('bridge');
});

test('keeps the version before and removes older ones', async () => {
  const dir = temporaryDir();
  const bundles = [];
  for (const version of ['1', '2', '3']) {
    bundles.push(await bundleIn(dir, `bundle-${version}`, [{ path: 'bin/x', content: version }, ...files]));
  }
  for (const bundle of bundles) await unpack({ bundle, dataDir: dir, signal });
  const [, second, third] = bundles.map(({ identity }) => identity);
  expect(await readlink(join(dir, 'data/current'))).toBe(third);
  expect(await readlink(join(dir, 'data/previous'))).toBe(second);
  expect(await namesIn(dir)).toEqual(
    [second, third, 'current', 'previous'].toSorted((a = '', b = '') => (a < b ? -1 : 1)),
  );
});

test('a damaged blob is an error that names the file, and leaves nothing behind', async () => {
  const dir = temporaryDir();
  const bundle = await bundleIn(dir);
  const bytes = await readFile(bundle.path);
  const file = bundle.manifest.files.find(({ path }) => path === 'cni/bridge');
  const at = (file?.offset ?? 0) + (file?.compressedBytes ?? 0) - 1;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
  await writeFile(bundle.path, bytes);
  const damaged = unpack({ bundle: await openBundle(bundle.path), dataDir: dir, signal });
  await expect(damaged).rejects.toMatchObject({ code: 'ASSETS_CORRUPT' });
  await expect(damaged).rejects.toThrow('cni/bridge');
  expect(await namesIn(dir)).toEqual([]);
});

test('an aborted unpacking leaves nothing behind', async () => {
  const dir = temporaryDir();
  const bundle = await bundleIn(dir);
  const controller = new AbortController();
  const aborted = unpack({ bundle, dataDir: dir, signal: controller.signal, onProgress: () => controller.abort() });
  await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
  expect(await namesIn(dir)).toEqual([]);
});

test('a process killed in the middle leaves a folder that is never used, and removed by the next', async () => {
  const dir = temporaryDir();
  const bundle = await bundleIn(dir);
  const child = spawn(process.execPath, [unpackChild, bundle.path, dir, 'hang'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data'); // it has written something, and waits
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await namesIn(dir)).toEqual([`${bundle.identity}.tmp-${child.pid}`]);
  expect(existsSync(join(dir, 'data/current'))).toBe(false);
  const { binDir } = await unpack({ bundle, dataDir: dir, signal });
  expect(await readFile(join(binDir, 'hyperkube'))).toEqual(large);
  expect(await namesIn(dir)).toEqual([bundle.identity, 'current']);
});

test('two processes may unpack at the same time', async () => {
  const dir = temporaryDir();
  const bundle = await bundleIn(dir);
  const children = [1, 2, 3].map(() => spawn(process.execPath, [unpackChild, bundle.path, dir], { stdio: 'inherit' }));
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0] as unknown));
  expect(codes).toEqual([0, 0, 0]);
  expect(await readFile(join(dir, 'data/current/bin/hyperkube'))).toEqual(large);
  expect(await namesIn(dir)).toEqual([bundle.identity, 'current']);
});

test('a file that may not grow is an error about space, with what is needed, and leaves nothing behind', async () => {
  const dir = temporaryDir();
  const bundle = await bundleIn(dir);
  await mkdir(join(dir, 'data'));
  // The shell's limit is in blocks of 512 bytes or 1 KiB; one block is less than the largest file either way.
  const script = 'ulimit -f 1; trap "" XFSZ; exec "$@"';
  const args = ['-c', script, 'sh', process.execPath, unpackChild, bundle.path, dir];
  const { status, stdout } = spawnSync('sh', args, { encoding: 'utf8' });
  expect(stdout).toContain('ASSETS_NO_SPACE');
  expect(stdout).toMatch(/needs \d+ MiB in .*--data-dir/);
  expect(status).toBe(1);
  expect(await namesIn(dir)).toEqual([]);
});

describe('on a host where no version is in use', () => {
  /** Unpacks, and notes each file that can be used and what its path below `current` has then. */
  async function useEarly(bundle: Bundle, dir: string) {
    const usable = new Map<string, Buffer | undefined>();
    const onUsable = ({ path }: { readonly path: string }) => {
      const there = join(dir, 'data/current', path);
      usable.set(path, existsSync(there) ? readFileSync(there) : undefined);
    };
    const result = await unpack({ bundle, dataDir: dir, signal, early: { ...atOnce, first: ['late'], onUsable } });
    return { usable, result };
  }

  const named = [...files, { path: 'bin/zebra', content: large.toReversed(), component: 'late' }];

  test('each file can be used as soon as it is whole, those that are wanted first before the others', async () => {
    const dir = temporaryDir();
    const bundle = await bundleIn(dir, 'bundle', named);
    const { usable, result } = await useEarly(bundle, dir);
    const order = [...usable.keys()];
    expect(order.indexOf('bin/zebra')).toBeLessThan(order.indexOf('bin/hyperkube')); // as large
    expect(order.toSorted()).toEqual(named.map(({ path }) => path).toSorted());
    for (const { path, content } of named) expect(usable.get(path)).toEqual(Buffer.from(content));
    expect(await readlink(join(dir, 'data/current'))).toBe(bundle.identity);
    expect(await readFile(join(result.binDir, 'kubelet'))).toEqual(large);
  });

  test('no path below `current` ever fails once it could be used, until the version is finished and after', async () => {
    const dir = temporaryDir();
    const bundle = await bundleIn(dir, 'bundle', named);
    const found: boolean[] = [];
    let isOver = false;
    const lookOn = () => {
      found.push(existsSync(join(dir, 'data/current/bin/zebra')));
      if (!isOver) setImmediate(lookOn);
    };
    const onUsable = ({ path }: { readonly path: string }) => void (path === 'bin/zebra' && lookOn());
    await unpack({ bundle, dataDir: dir, signal, early: { ...atOnce, first: ['late'], onUsable } });
    isOver = true;
    lookOn();
    expect(found.length).toBeGreaterThan(2);
    expect(found).not.toContain(false);
  });

  test('what was used of it then is a leftover of the next process', async () => {
    const dir = temporaryDir();
    const bundle = await bundleIn(dir);
    await useEarly(bundle, dir);
    expect(await namesIn(dir)).toEqual([bundle.identity, `${bundle.identity}.tmp-${process.pid}`, 'current']);
    const [before, again] = [await stat(join(dir, 'data/current/bin/hyperkube')), await useEarly(bundle, dir)];
    expect([...again.usable.keys()]).toEqual([]);
    expect((await stat(join(dir, 'data/current/bin/hyperkube'))).ino).toBe(before.ino);
    expect(await namesIn(dir)).toEqual([bundle.identity, 'current']);
  });

  /** @returns the name of the folder that it leaves */
  async function killedInUse(bundle: Bundle, dir: string): Promise<string> {
    const child = spawn(process.execPath, [unpackChild, bundle.path, dir, 'use'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    return `${bundle.identity}.tmp-${child.pid}`;
  }

  test('what a killed process has made of it is used at once by the next, which makes the rest', async () => {
    const dir = temporaryDir();
    const bundle = await bundleIn(dir, 'bundle', named);
    const left = join(dir, 'data', await killedInUse(bundle, dir));
    const there = named.filter(({ path }) => existsSync(join(left, path)));
    expect(there.length).toBeGreaterThan(0);
    expect(there.length).toBeLessThan(named.length);
    const inodes = there.map(({ path }) => statSync(join(left, path)).ino);
    const { usable } = await useEarly(bundle, dir);
    expect([...usable.keys()].slice(0, there.length).toSorted()).toEqual(there.map(({ path }) => path).toSorted());
    for (const { path, content } of named) expect(usable.get(path)).toEqual(Buffer.from(content));
    expect(there.map(({ path }) => statSync(join(dir, 'data/current', path)).ino)).toEqual(inodes);
    expect(await readlink(join(dir, 'data/current'))).toBe(bundle.identity);
  });

  test('what a killed process has made of it is not used after the host was started again', async () => {
    const dir = temporaryDir();
    const bundle = await bundleIn(dir, 'bundle', named);
    const left = join(dir, 'data', await killedInUse(bundle, dir));
    await rm(join(left, 'boot-id'));
    await symlink('another boot', join(left, 'boot-id'));
    await writeFile(join(left, 'cni/bridge'), 'damage'); // as long
    await useEarly(bundle, dir);
    expect(await readFile(join(dir, 'data/current/cni/bridge'), 'utf8')).toBe('bridge');
  });

  test('what could not be synced is not used by the next process', async () => {
    const dir = temporaryDir();
    const bundle = await bundleIn(dir);
    const unfinished = join(dir, 'data', `${bundle.identity}.tmp-${process.pid}`);
    const settled = Promise.withResolvers<void>();
    const rest = bundle.manifest.files.map(({ path }) => path);
    const onUsable = ({ path }: { readonly path: string }) => {
      rest.splice(rest.indexOf(path), 1);
      if (rest.length > 0) return;
      rmSync(join(unfinished, 'images/pause.tar')); // so that it cannot be synced
      writeFileSync(join(unfinished, 'cni/bridge'), 'damage');
      settled.resolve();
    };
    await expect(
      unpack({ bundle, dataDir: dir, signal, early: { first: [], onUsable, settled: settled.promise } }),
    ).rejects.toMatchObject({ code: 'ENOENT' });
    await useEarly(bundle, dir);
    expect(await readFile(join(dir, 'data/current/cni/bridge'), 'utf8')).toBe('bridge');
  });

  test('a process that uses nothing before all is whole removes what a killed one has left', async () => {
    const dir = temporaryDir();
    const bundle = await bundleIn(dir);
    const left = await killedInUse(bundle, dir);
    expect(await readlink(join(dir, 'data/current'))).toBe(left);
    expect(leadsToFinished(join(dir, 'data/current'))).toBe(false);
    await unpack({ bundle, dataDir: dir, signal });
    expect(await readFile(join(dir, 'data/current/bin/hyperkube'))).toEqual(large);
    expect(await namesIn(dir)).toEqual([bundle.identity, 'current']);
  });

  test('a failure takes away what could be used already, and leaves nothing behind', async () => {
    const dir = temporaryDir();
    const bundle = await bundleIn(dir, 'bundle', named);
    const bytes = await readFile(bundle.path);
    const { offset = 0 } = bundle.manifest.files.find(({ path }) => path === 'cni/bridge') ?? {};
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
    await writeFile(bundle.path, bytes);
    await expect(useEarly(await openBundle(bundle.path), dir)).rejects.toMatchObject({ code: 'ASSETS_CORRUPT' });
    expect(await namesIn(dir)).toEqual([]);
  });
});

test('where a version is in use, nothing of the next one is before all of it is finished', async () => {
  const dir = temporaryDir();
  const [first, second] = [
    await bundleIn(dir, 'one', [{ path: 'bin/x', content: '1' }]),
    await bundleIn(dir, 'two', [{ path: 'bin/x', content: '2' }, ...files]),
  ];
  await unpack({ bundle: first, dataDir: dir, signal });
  const usable: string[] = [];
  const onUsable = ({ path }: { readonly path: string }) => void usable.push(path);
  const inUse = new Set<string>();
  const onProgress = () => void inUse.add(readFileSync(join(dir, 'data/current/bin/x'), 'utf8'));
  await unpack({ bundle: second, dataDir: dir, signal, onProgress, early: { ...atOnce, onUsable } });
  expect(usable).toEqual([]);
  expect([...inUse]).toEqual(['1']);
  expect(await readFile(join(dir, 'data/current/bin/x'), 'utf8')).toBe('2');
});

async function namesIn(dir: string): Promise<string[]> {
  return (await readdir(join(dir, 'data'))).toSorted();
}

test('whatever is in the place of a file is replaced', async () => {
  const dir = temporaryDir();
  const bundle = await bundleIn(dir);
  const { binDir } = await unpack({ bundle, dataDir: dir, signal });
  await rm(join(binDir, 'hyperkube'));
  await symlink('hyperkube', join(binDir, 'hyperkube')); // ELOOP
  await unpack({ bundle, dataDir: dir, signal });
  expect(await readFile(join(binDir, 'hyperkube'))).toEqual(large);
  await rm(binDir, { recursive: true });
  await writeFile(binDir, ''); // ENOTDIR
  await unpack({ bundle, dataDir: dir, signal });
  expect(await readFile(join(binDir, 'kubelet'))).toEqual(large);
});
