import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, open, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { defaultCacheDir, openCache } from '../../../scripts/build/cache.ts';
import { segmentsOf, sharesPage } from '../../../scripts/build/elf.ts';
import { addonFor, appendBundle, buildExecutable } from '../../../scripts/build/executable.ts';
import { nodeFor } from '../../../scripts/build/node.ts';
import { targetOf } from '../../../scripts/build/target.ts';
import { fakeBundle } from '../../helpers/bundle.ts';
import { TestClient } from '../../helpers/etcd-client.ts';
import { arm64Env, arm64Runner } from '../../helpers/foreign.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';

/** Emulation takes ten times as long. */
const slowMs = 120_000;
const run = promisify(execFile);
const built = mkdtempSync(join(tmpdir(), 'kagent-test-'));
const kagent = join(built, 'kagent');
afterAll(() => rmSync(built, { recursive: true, force: true }));

beforeAll(async () => {
  const target = targetOf('arm64');
  const slim = join(built, 'kagent-slim');
  await buildExecutable({
    target,
    sources: join(import.meta.dirname, '../../../src'),
    node: await nodeFor(target, await openCache(defaultCacheDir)),
    addon: addonFor(target),
    version: '1.2.3',
    buildDate: '2026-01-01T00:00:00Z',
    bundle: undefined,
    output: slim,
  });
  // In place of kubectl a script: without binfmt_misc an emulated program can only start programs of this machine.
  const kubectl = { path: 'bin/kubectl', content: '#!/bin/sh\necho "kubectl says $*"\n' };
  const large = { path: 'images/large.tar', content: Buffer.alloc(100_000, 'arm64') };
  await appendBundle(slim, await fakeBundle(built, [kubectl, large], { arch: 'arm64' }), kagent);
}, slowMs);

async function runKagent(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const [command = '', ...rest] = [...arm64Runner, kagent, ...args];
  const { stdout, stderr } = await run(command, rest, { env: { ...arm64Env, ...env }, cwd: '/' });
  expect(stderr).toBe('');
  return stdout;
}

test('the executable for arm64 says its version and its settings', { timeout: slowMs }, async () => {
  expect(await runKagent(['--version'])).toMatch(/^kagent 1\.2\.3\nnode +v26\..*\nfake +1\.0\n$/);
  expect(await runKagent(['config', 'default'])).toContain('cluster-cidr: 10.42.0.0/16');
});

test('on arm64 the components are verified, unpacked and used', { timeout: slowMs }, async () => {
  const dataDir = join(temporaryDir(), 'data');
  await mkdir(dataDir);
  expect(await runKagent(['kubectl', 'get', 'nodes'], { KAGENT_DATA_DIR: dataDir })).toBe('kubectl says get nodes\n');
  const large = await readFile(join(dataDir, 'data/current/images/large.tar'));
  expect(large.equals(Buffer.alloc(100_000, 'arm64'))).toBe(true);
});

test('on arm64 the datastore keeps what a client puts, in SQLite', { timeout: slowMs }, async () => {
  const dir = temporaryDir();
  const address = `unix://${join(dir, 'datastore.sock')}`;
  const args = ['datastore', 'serve', '--data-dir', join(dir, 'data'), '--listen', address];
  const [command = '', ...rest] = [...arm64Runner, kagent, ...args];
  const child = spawn(command, rest, { env: arm64Env, cwd: '/', stdio: ['ignore', 'inherit', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const client = new TestClient(address);
  onTestFinished(() => client.close());
  await eventually(() => client.put('/registry/pods/a', 'one'), { withinMs: slowMs, what: 'the first put' });
  await client.put('/registry/pods/b', 'two');
  const { kvs, count } = await client.range('/registry/pods/', { rangeEnd: '/registry/pods0' });
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
  expect(kvs.map(({ key, value }) => `${text(key)}=${text(value)}`)).toEqual([
    '/registry/pods/a=one',
    '/registry/pods/b=two',
  ]);
  expect(Number(count)).toBe(2);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('no read-only part of it lies on a page with writable data, for pages of up to 64 KiB', async () => {
  const file = await open(kagent);
  onTestFinished(() => file.close());
  const segments = await segmentsOf(file);
  expect(segments.length).toBeGreaterThan(4); // Node's, and those that were added
  expect(segments.filter((one) => (one.flags & 2) === 0 && sharesPage(one, segments))).toEqual([]);
});
