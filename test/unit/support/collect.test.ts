import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { expect, test } from 'vitest';
import { writeArchive } from '../../../src/support/archive.ts';
import { collect } from '../../../src/support/collect.ts';
import { createRedactor } from '../../../src/support/redact.ts';
import { outputOf } from '../../../src/support/output.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const limits = { timeoutMs: 5000, maxPartBytes: 1000, maxBytes: 2500 };
const redactor = createRedactor(['hidden']);

test('a part that fails, and one that never answers, are named and keep no other away', async () => {
  const parts = [
    { name: 'a', read: () => Promise.reject(new Error('hidden reason')) },
    { name: 'b', read: () => new Promise<string>(() => {}) },
    { name: 'c', read: () => 'the hidden text' },
    { name: 'd', read: () => undefined },
  ];
  expect(await collect(parts, { ...limits, timeoutMs: 50, redactor })).toEqual({
    files: [{ name: 'c', text: 'the [redacted] text' }],
    errors: ['a: [redacted] reason', 'b: nothing within 0.05 s'],
  });
});

test('the archive stays small: a part is cut, and what does not fit is left out and named', async () => {
  const parts = ['a', 'b', 'c', 'd'].map((name) => ({ name, read: () => name.repeat(4000) }));
  const { files, errors } = await collect(parts, { ...limits, redactor });
  expect(files.map(({ name, text }) => [name, text.length])).toEqual([
    ['a', 1000],
    ['b', 1000],
  ]);
  expect(errors).toEqual(['c', 'd'].map((name) => `${name}: left out, the archive would be too large`));
});

test('a command that hangs is ended, one that says too much is cut, one that fails says why', async () => {
  const shell = (text: string, timeoutMs = 5000) =>
    outputOf({ command: 'sh', args: ['-c', text] }, { timeoutMs, maxBytes: 100 });
  await expect(shell('exec sleep 60', 100)).rejects.toThrow('sleep 60: no end within 0.1 s');
  expect((await shell('yes')).length).toBeLessThanOrEqual(110);
  await expect(shell('echo first >&2; echo last >&2; exit 3')).rejects.toThrow(/exit 3: first\nlast$/);
  await expect(outputOf({ command: 'no-such-program', args: [] }, { timeoutMs: 1, maxBytes: 1 })).rejects.toThrow(
    'ENOENT',
  );
});

test('the archive has every text in one folder, for its owner alone', async () => {
  const path = join(temporaryDir(), 'x.tar.gz');
  await writeArchive(path, 'root', [
    { name: 'a/b.txt', text: 'häuser' },
    { name: 'large', text: 'x'.repeat(3_000_000) },
  ]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const found: [string, number][] = [];
  const tar = extract();
  tar.end(gunzipSync(readFileSync(path)));
  for await (const entry of tar) {
    found.push([entry.header.name, entry.header.size ?? 0]);
    entry.resume();
  }
  expect(found).toEqual([
    ['root/a/b.txt', 7],
    ['root/large', 3_000_000],
  ]);
});
