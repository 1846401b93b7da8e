import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { findBundle } from '../../../src/host/assets/assets.ts';
import type { Bundle } from '../../../src/host/assets/assets.ts';
import type { NeededBundle } from '../../../src/host/assets/needed.ts';
import { fakeBundle } from '../../helpers/bundle.ts';
import { serveFile } from '../../helpers/file-server.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

interface Released {
  readonly dataDir: string;
  readonly content: Buffer;
  readonly needed: NeededBundle;
}

/** A bundle of a release, and a box that has nothing yet. */
async function released(): Promise<Released> {
  const dir = temporaryDir();
  const content = await readFile(await fakeBundle(dir, [{ path: 'bin/tool', content: Buffer.alloc(50_000, 'tool') }]));
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { dataDir: join(dir, 'box'), content, needed: { sha256, sizeBytes: content.length } };
}

function find(url: string, { dataDir }: Released, needed?: NeededBundle): Promise<Bundle> {
  return findBundle({ asked: url, env: {}, dataDir, signal: new AbortController().signal }, needed);
}

const filesIn = async ({ dataDir }: Released) => (await readdir(join(dataDir, 'data'))).toSorted();

test('a bundle that is named by its address is fetched, compared and kept', async () => {
  const release = await released();
  const { url, asked } = await serveFile('/v1/bundle', release.content, { redirectFrom: '/latest/bundle' });
  const { path, manifest } = await find(url, release, release.needed);
  expect(manifest.files.map((file) => file.path)).toEqual(['bin/tool']);
  expect(await readFile(path)).toEqual(release.content);
  expect(await filesIn(release)).toEqual([`bundle-${release.needed.sha256}`]);
  await find(url, release, release.needed);
  expect(asked).toHaveLength(1);
});

test('a download that breaks off continues where it was', async () => {
  const release = await released();
  const { url, asked } = await serveFile('/bundle', release.content, { breaks: [100, 50] });
  const { path } = await find(url, release, release.needed);
  expect(await readFile(path)).toEqual(release.content);
  expect(asked).toEqual(['', 'bytes=100-', 'bytes=150-']);
});

test('what an earlier process left is gone on with, or begun anew where the server knows no ranges', async () => {
  for (const noRanges of [false, true]) {
    const release = await released();
    const part = join(release.dataDir, 'data', `bundle-${release.needed.sha256}.part`);
    await mkdir(dirname(part), { recursive: true });
    await writeFile(part, release.content.subarray(0, 80));
    const { url, asked } = await serveFile('/bundle', release.content, { noRanges });
    const { path } = await find(url, release, release.needed);
    expect(await readFile(path)).toEqual(release.content);
    expect(asked).toEqual(['bytes=80-']);
  }
});

test('other bytes than it was built for are named with both sums, and nothing of them is left', async () => {
  const release = await released();
  const other = Buffer.from(release.content);
  other[10] = (other[10] ?? 0) ^ 1;
  const { url } = await serveFile('/bundle', other);
  const failure = find(url, release, release.needed);
  await expect(failure).rejects.toMatchObject({ code: 'ASSETS_WRONG_BUNDLE' });
  await expect(failure).rejects.toThrow(release.needed.sha256);
  expect(await filesIn(release)).toEqual([]);
});

test('a server that does not have it is told with its answer and the next step', async () => {
  const release = await released();
  const { url } = await serveFile('/bundle', release.content);
  const failure = find(`${url}-of-nobody`, release, release.needed);
  await expect(failure).rejects.toMatchObject({ code: 'ASSETS_UNREACHABLE' });
  await expect(failure).rejects.toThrow(/bundle-of-nobody: it answered 404 Not Found; .*--bundle FILE/);
});

test('a server that sends something of another length is given up before it is on the disk', async () => {
  const release = await released();
  const { url } = await serveFile('/bundle', Buffer.concat([release.content, Buffer.alloc(1_000_000)]));
  await expect(find(url, release, release.needed)).rejects.toThrow(/it has \d+ bytes to send, where \d+ are missing/);
});

test('no room for it is said before anything is fetched', async () => {
  const release = await released();
  const { url, asked } = await serveFile('/bundle', release.content);
  const failure = find(url, release, { ...release.needed, sizeBytes: 2 ** 52 });
  await expect(failure).rejects.toMatchObject({ code: 'ASSETS_NO_SPACE' });
  expect(asked).toEqual([]);
});

test('the bundle of an older version gives its place to the new one', async () => {
  const release = await released();
  await mkdir(join(release.dataDir, 'data'), { recursive: true });
  await writeFile(join(release.dataDir, 'data', `bundle-${'0'.repeat(64)}`), 'old');
  const { url } = await serveFile('/bundle', release.content);
  await find(url, release, release.needed);
  expect(await filesIn(release)).toEqual([`bundle-${release.needed.sha256}`]);
});

test('two kagents may fetch it at the same time', async () => {
  const release = await released();
  const { url } = await serveFile('/bundle', release.content);
  const [first, second] = await Promise.all([1, 2].map(() => find(url, release, release.needed)));
  expect(first?.path).toBe(second?.path);
  expect(await readFile(first?.path ?? '')).toEqual(release.content);
});

test('an executable that knows no checksum fetches nothing', async () => {
  const release = await released();
  const { url, asked } = await serveFile('/bundle', release.content);
  await expect(find(url, release)).rejects.toMatchObject({ code: 'ASSETS_UNVERIFIABLE' });
  expect(asked).toEqual([]);
});
