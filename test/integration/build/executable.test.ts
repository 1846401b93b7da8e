import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { segmentsOf } from '../../../scripts/build/elf.ts';
import { addonFor, appendBundle, buildExecutable } from '../../../scripts/build/executable.ts';
import { targetOf } from '../../../scripts/build/target.ts';
import type { NeededBundle } from '../../../src/host/assets/needed.ts';
import { fakeBundle } from '../../helpers/bundle.ts';
import { serveFile } from '../../helpers/file-server.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const root = join(import.meta.dirname, '../../..');
const node = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin/node');
const run = promisify(execFile);
/** Files of 120 MB are copied several times. */
const buildMs = 180_000;

function build(output: string, bundle?: NeededBundle): Promise<void> {
  const target = targetOf(process.arch);
  return buildExecutable({
    target,
    sources: join(root, 'test/fixtures/executable'),
    node,
    addon: addonFor(target),
    version: '0.0.0',
    buildDate: '2026-01-01T00:00:00Z',
    bundle,
    output,
  });
}

test(
  'one file carries worker, addon, files and bundle, and the same sources give the same bytes',
  { timeout: buildMs },
  async () => {
    const dir = temporaryDir();
    const [first, second] = [join(dir, 'first'), join(dir, 'second')];
    await build(first);
    await build(second);
    expect((await readFile(first)).equals(await readFile(second))).toBe(true);

    const runtimeDir = join(dir, 'runtime');
    await mkdir(runtimeDir, { mode: 0o700 });
    const env = { PATH: '/usr/bin:/bin', XDG_RUNTIME_DIR: runtimeDir };
    const slim = await run(first, [], { env, cwd: '/' });
    expect(JSON.parse(slim.stdout)).toEqual({
      square: 49,
      row: { answer: 42 },
      text: 'a file of the room',
      matches: true,
    });
    expect(slim.stderr).toBe(''); // a refused code cache would be a warning
    expect(readdirSync(join(runtimeDir, 'kagent'))).toHaveLength(1);

    const full = join(dir, 'full');
    await appendBundle(first, await fakeBundle(dir, [{ path: 'bin/tool', content: 'tool' }]), full);
    const { stdout } = await run(full, [join(dir, 'data')], { env, cwd: '/' });
    expect(JSON.parse(stdout)).toMatchObject({ square: 49 });
    expect(await readFile(join(dir, 'data/data/current/bin/tool'), 'utf8')).toBe('tool');
  },
);

test("Node's own parts keep their rights: none that was read-only is writable", { timeout: buildMs }, async () => {
  const slim = join(temporaryDir(), 'slim');
  await build(slim);
  const flagsOf = async (path: string) => {
    const file = await open(path);
    onTestFinished(() => file.close());
    return (await segmentsOf(file)).map(({ flags }) => flags);
  };
  const own = await flagsOf(node);
  expect((await flagsOf(slim)).slice(0, own.length)).toEqual(own);
});

test('an executable without a bundle says where one may come from', { timeout: buildMs }, async () => {
  const dir = temporaryDir();
  const slim = join(dir, 'slim');
  await build(slim);
  const failed = run(slim, [join(dir, 'data')], { env: { PATH: '/usr/bin:/bin', TMPDIR: dir }, cwd: '/' });
  await expect(failed).rejects.toThrow(`no components in ${slim}`);
  await expect(failed).rejects.toThrow('--bundle FILE');
  expect(readdirSync(dir).filter((name) => name.startsWith('kagent-'))).toEqual([]); // the addon's private folder is gone
});

test(
  'a slim executable fetches the components of its release, once, or the same from where it is told',
  { timeout: buildMs },
  async () => {
    const dir = temporaryDir();
    const content = await readFile(await fakeBundle(dir, [{ path: 'bin/tool', content: 'tool' }]));
    const release = await serveFile('/v1.2.3/bundle', content);
    const mirror = await serveFile('/bundle', content);
    const slim = join(dir, 'slim');
    const sha256 = createHash('sha256').update(content).digest('hex');
    await build(slim, { sha256, sizeBytes: content.length, url: release.url });
    const env = { PATH: '/usr/bin:/bin', TMPDIR: dir };
    for (const dataDir of [join(dir, 'data'), join(dir, 'data')]) {
      await run(slim, [dataDir], { env, cwd: '/' });
      expect(await readFile(join(dataDir, 'data/current/bin/tool'), 'utf8')).toBe('tool');
    }
    expect(release.asked).toEqual(['']);
    await run(slim, [join(dir, 'other')], { env: { ...env, KAGENT_BUNDLE: mirror.url }, cwd: '/' });
    expect(await readFile(join(dir, 'other/data/current/bin/tool'), 'utf8')).toBe('tool');
    expect(mirror.asked).toEqual(['']);
  },
);
