import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toolCache, toolFolder } from '../../../../src/host/assets/tool-folder.ts';
import { fakeBundle } from '../../../helpers/bundle.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

async function box() {
  const dir = temporaryDir();
  const bundle = await fakeBundle(dir, [{ path: 'bin/kubectl', content: 'kubectl' }]);
  const env = { KAGENT_BUNDLE: bundle, XDG_CACHE_HOME: join(dir, 'cache') };
  const dataDir = join(dir, 'lib/kagent');
  const folder = () => toolFolder('kubectl', { dataDir, isRunning: false }, env);
  return { dir, dataDir, env, folder };
}

test('where kagent has no data dir a tool makes none, and is unpacked among the caller’s caches', async () => {
  const { dir, env, folder } = await box();
  const bin = await folder();
  expect(bin).toBe(join(dir, 'cache/kagent-tools/data/current/bin'));
  expect(toolCache(env)).toBe(join(dir, 'cache/kagent-tools'));
  expect(readdirSync(bin)).toEqual(['kubectl']);
  expect(existsSync(join(dir, 'lib'))).toBe(false);
});

test('a tool that cannot be unpacked leaves no data dir either', async () => {
  const { dir, env, dataDir } = await box();
  const failing = { ...env, KAGENT_BUNDLE: join(dir, 'none') };
  const box_ = { dataDir, isRunning: false };
  await expect(toolFolder('kubectl', box_, failing)).rejects.toThrow('no components');
  expect(existsSync(join(dir, 'lib'))).toBe(false);
  expect(existsSync(join(dir, 'cache'))).toBe(false);
});

test('in a data dir that is there a tool is unpacked for the kagent that runs there next', async () => {
  const { dir, dataDir, folder } = await box();
  mkdirSync(dataDir, { recursive: true });
  expect(await folder()).toBe(join(dataDir, 'data/current/bin'));
  expect(existsSync(join(dir, 'cache'))).toBe(false);
});
