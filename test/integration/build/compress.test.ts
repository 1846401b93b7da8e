/** How an executable travels in a release: what people and the installer unpack it with gives back exactly its bytes. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { busyboxProducer } from '../../../scripts/build/busybox.ts';
import { defaultCacheDir, openCache } from '../../../scripts/build/cache.ts';
import { targetOf } from '../../../scripts/build/target.ts';
import { fakeBundle } from '../../helpers/bundle.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const script = join(import.meta.dirname, '../../../scripts/build/compress.ts');

async function compressed() {
  const dir = temporaryDir();
  const bundle = await fakeBundle(dir, [{ path: 'bin/a', content: randomBytes(9_000_000) }]);
  const path = join(dir, 'kagent');
  const program = Buffer.alloc(20_000_000, 'a program, which compresses well, ');
  writeFileSync(path, Buffer.concat([program, readFileSync(bundle)]));
  execFileSync(process.execPath, [script, path]);
  return { path, whole: readFileSync(path), bundleBytes: statSync(bundle).size };
}

test('gzip, busybox and zstd unpack it; the bundle in it, which is compressed, takes no more room than before', async () => {
  const { path, whole, bundleBytes } = await compressed();
  const busybox = join(
    await (await openCache(defaultCacheDir)).entry(busyboxProducer(targetOf(process.arch))),
    'busybox',
  );
  const unpackers: readonly (readonly [form: string, command: string, args: readonly string[]])[] = [
    ['.gz', 'gzip', []],
    ['.gz', busybox, ['gzip']],
    ['.zst', 'zstd', []],
  ];
  for (const [form, command, args] of unpackers) {
    const input = readFileSync(path + form);
    expect(input.length).toBeLessThan(bundleBytes * 1.01 + whole.length / 50);
    const output = execFileSync(command, [...args, '-dc'], { input, maxBuffer: 2 * whole.length });
    expect(output.equals(whole), `${command} ${form}`).toBe(true);
  }
});

test('the same bytes give the same bytes', async () => {
  const { path } = await compressed();
  const before = ['.gz', '.zst'].map((form) => readFileSync(path + form));
  execFileSync(process.execPath, [script, path]);
  for (const [index, form] of ['.gz', '.zst'].entries()) {
    expect(readFileSync(path + form).equals(before[index] ?? Buffer.alloc(0))).toBe(true);
  }
});

test('what has no bundle is refused, and nothing is written', () => {
  const path = join(temporaryDir(), 'kagent');
  writeFileSync(path, 'a program alone');
  expect(() => execFileSync(process.execPath, [script, path], { stdio: 'pipe' })).toThrow('does not end with a bundle');
  expect(statSync(`${path}.gz`, { throwIfNoEntry: false })).toBeUndefined();
});
