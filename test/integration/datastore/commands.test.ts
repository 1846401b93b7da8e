/** `kagent datastore …` as a person types it: the real command line against a datastore that is being served. */
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TestClient } from '../../helpers/etcd-client.ts';
import { startKagent } from '../../helpers/etcd-servers.ts';
import type { TestServer } from '../../helpers/etcd-servers.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const main = resolve(import.meta.dirname, '../../../src/main.ts');

let dir: string;
let server: TestServer;
let client: TestClient;

const start = async (): Promise<void> => {
  server = await startKagent(dir);
  client = new TestClient(server.address);
};
const stop = async (): Promise<void> => {
  await client.close();
  await server.stop();
};

beforeEach(async () => {
  dir = temporaryDir();
  await start();
});
afterEach(stop);

interface Outcome {
  readonly code: number;
  readonly text: string;
}

async function kagent(...words: string[]): Promise<Outcome> {
  return promisify(execFile)(process.execPath, [main, ...words]).then(
    ({ stdout }) => ({ code: 0, text: stdout }),
    ({ code, stdout, stderr }: { readonly code: number; readonly stdout: string; readonly stderr: string }) => ({
      code,
      text: stdout + stderr,
    }),
  );
}
const online = (...words: string[]) => kagent('datastore', ...words, '--endpoint', server.address);
const offline = (...words: string[]) => kagent('datastore', ...words, '--data-dir', dir);

async function fill(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await client.put(`/registry/pods/default/p${i % 5}`, 'x'.repeat(1000));
  await client.put('/registry/events/e', 'y');
}

test('status says what is there, for people and for programs', async () => {
  await fill();
  const { text } = await online('status');
  expect(text).toMatch(/^revision +22$/m);
  expect(text).toMatch(/^keys +6, with history 21 versions$/m);
  expect(text).toMatch(/^alarms +none$/m);
  expect(JSON.parse((await online('status', '-o', 'json')).text)).toMatchObject({ revision: 22, keys: 6, alarms: [] });
});

test('without a datastore the next step is said', async () => {
  const { code, text } = await kagent('datastore', 'status', '--endpoint', `unix://${dir}/nobody.sock`);
  expect(code).toBe(1);
  expect(text).toMatch(/nobody\.sock.*systemctl start kagent/);
});

test('where no datastore answers a snapshot cannot be saved, and nothing is left of the attempt', async () => {
  const box = temporaryDir();
  const place = ['--data-dir', join(box, 'data'), '--etcd-snapshot-dir', join(box, 'snapshots')];
  const { code, text } = await kagent('etcd-snapshot', 'save', '--endpoint', `unix://${box}/nobody.sock`, ...place);
  expect(code).toBe(1);
  expect(text).toMatch(/no datastore answers at \S+nobody\.sock; start it/);
  expect(readdirSync(box)).toEqual([]);
});

test('top shows which prefixes hold how much, the largest first', async () => {
  await fill();
  const rows = (await online('top', '--interval', '0')).text
    .trim()
    .split('\n')
    .map((row) => row.split(/ {2,}/));
  expect(rows[0]).toEqual(['PREFIX', 'KEYS', 'SIZE', 'OLD', 'OLD SIZE', 'WRITES/MIN']);
  expect(rows[1]?.slice(0, 4)).toEqual(['/registry/pods/', '5', '6 KiB', '15']);
  expect(rows[2]?.slice(0, 4)).toEqual(['/registry/events/', '1', '1 KiB', '0']);
});

test('compact drops what was replaced, defrag gives its space back', async () => {
  await fill();
  const { text } = await online('compact');
  expect(text).toBe('compacted up to revision 22: 15 versions dropped\n');
  expect((await online('defrag')).text).toMatch(/^\d+ MiB → \d+ MiB$/m);
});

test('a snapshot that was saved is found, verified and restored, and revisions continue beyond those before', async () => {
  await fill();
  const saved = await online('snapshot', 'save', '--data-dir', dir);
  const path = /^(\/.*?) \(/.exec(saved.text)?.[1] ?? '';
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect((await offline('snapshot', 'ls')).text).toContain(path);
  expect((await kagent('datastore', 'snapshot', 'verify', path)).text).toContain('is sound');

  await client.put('/after', 'the snapshot');
  const refused = await offline('snapshot', 'restore', path);
  expect(refused).toMatchObject({ code: 1, text: expect.stringContaining('in use') });
  await stop();
  const restored = await offline('snapshot', 'restore', path);
  expect(restored.text).toMatch(/restored, at revision 1000000022\n.*kept as .*store\.db\.replaced-/);
  await start();
  expect((await client.range('/after')).kvs).toHaveLength(0);
  const { kvs, revision } = await client.range('/registry/events/e');
  expect([kvs.length, revision]).toEqual([1, 1_000_000_022]);
  await expect(client.range('/registry/events/e', { revision: 23 })).rejects.toThrow('compacted');
  expect((await client.put('/after', 'again')).revision).toBe(1_000_000_023);
  expect(readdirSync(dir).filter((name) => name.includes('.replaced-')).length).toBeGreaterThan(0);
});

/** As `kagent()`, by a config.yaml with these settings and one more file beside it. */
async function configured(settings: Readonly<Record<string, string>>, ...words: string[]): Promise<Outcome> {
  const file = join(temporaryDir(), 'config.yaml');
  const [first = '', ...rest] = Object.entries(settings).map(([key, value]) => `${key}: ${value}\n`);
  writeFileSync(file, first);
  mkdirSync(`${file}.d`);
  writeFileSync(join(`${file}.d`, '10-more.yaml'), rest.join(''));
  const env = { ...process.env, KAGENT_CONFIG_FILE: file };
  const { code, stdout, stderr } = await promisify(execFile)(process.execPath, [main, ...words], { env }).then(
    (done) => ({ code: 0, ...done }),
    (error: { readonly code: number; readonly stdout: string; readonly stderr: string }) => error,
  );
  return { code, text: stdout + stderr };
}

test('snapshots are saved, listed, verified and restored where config.yaml and its drop-ins say', async () => {
  await fill();
  const snapshots = join(temporaryDir(), 'snapshots');
  const settings = { 'data-dir': dir, 'etcd-snapshot-dir': snapshots };
  const saved = await configured(settings, 'etcd-snapshot', 'save', '--endpoint', server.address);
  const [name = ''] = readdirSync(snapshots);
  expect(saved.text).toContain(join(snapshots, name));
  const listed = await configured(settings, 'etcd-snapshot', 'ls');
  expect(listed.text).toContain(join(snapshots, name));
  expect(listed.text).toContain(`data dir ${dir} (set by`);
  expect((await configured(settings, 'etcd-snapshot', 'verify', name)).text).toContain('is sound');
  expect((await configured(settings, 'datastore', 'check', name)).code).toBe(0);
  await client.put('/after', 'the snapshot');
  await stop();
  const restored = await configured(settings, 'etcd-snapshot', 'restore', name);
  expect(restored).toMatchObject({ code: 0, text: expect.stringContaining(`${join(dir, 'store.db')} is restored`) });
  expect((await configured(settings, 'datastore', 'check')).text).toContain('ok ');
  await start();
  expect((await client.range('/after')).kvs).toHaveLength(0);
});

test('a snapshot or a datastore that is not there is a sentence', async () => {
  for (const words of [['snapshot', 'restore'], ['snapshot', 'verify'], ['check']]) {
    const { code, text } = await offline(...words, 'no-such');
    expect([words, code, text]).toEqual([words, 1, expect.stringContaining(join(dir, 'snapshots', 'no-such'))]);
    expect(text).not.toMatch(/^ +at /m);
  }
  const { text } = await kagent('datastore', 'check', '--data-dir', join(dir, 'elsewhere'));
  expect(text).toMatch(/there is no datastore \S+elsewhere\S+; say .* --data-dir/);
  expect(text).not.toMatch(/^ +at /m);
});

test('prune removes what was saved here alone, and names what it leaves', async () => {
  const snapshots = join(dir, 'snapshots');
  for (const name of ['nightly-1', 'nightly-2'])
    await online('snapshot', 'save', join(snapshots, name), '--data-dir', dir);
  copyFileSync(join(snapshots, 'nightly-2'), join(snapshots, 'nightly-of-another-node'));
  const pruned = await promisify(execFile)(process.execPath, [
    main,
    'etcd-snapshot',
    'prune',
    '--name',
    'nightly',
    '--snapshot-retention',
    '1',
    '--data-dir',
    dir,
  ]);
  expect(pruned.stdout).toBe(`removed ${join(snapshots, 'nightly-1')}\n`);
  expect(pruned.stderr).toContain(`${join(snapshots, 'nightly-of-another-node')} stays`);
  expect(readdirSync(snapshots).toSorted()).toEqual(['nightly-2', 'nightly-of-another-node']);
});

test('k3s’s words for snapshots work', async () => {
  await fill();
  for (const name of ['nightly-one', 'nightly-two', 'on-demand-one']) {
    await online('snapshot', 'save', join(dir, 'snapshots', name), '--data-dir', dir);
  }
  const prune = ['etcd-snapshot', 'prune', '--name', 'nightly', '--snapshot-retention', '1', '--data-dir', dir];
  expect((await kagent(...prune)).text).toBe(`removed ${join(dir, 'snapshots', 'nightly-one')}\n`);
  const { text } = await kagent('etcd-snapshot', 'ls', '--data-dir', dir);
  expect(text).toContain('nightly-two');
  expect(text).toContain('on-demand-one');
});

test('check finds a sound file sound, and a damaged one damaged without touching it', async () => {
  for (let i = 0; i < 300; i += 1) await client.put(`/k${i}`, 'x'.repeat(2000));
  await stop();
  const path = join(dir, 'store.db');
  expect(await offline('check')).toMatchObject({ code: 0, text: expect.not.stringContaining('FAILED') });

  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(20_000, 0xab), 0, 20_000, 100_000);
  const before = readFileSync(path);
  const { code, text } = await offline('check');
  expect(code).toBe(1);
  expect(text).toMatch(/FAILED.*\n?[\s\S]*restore a snapshot/);
  expect(readFileSync(path).equals(before)).toBe(true);
  await startFresh();
});

test('a damaged datastore does not start, is left as it is, and the newest snapshot is offered', async () => {
  for (let i = 0; i < 300; i += 1) await client.put(`/k${i}`, 'x'.repeat(2000));
  const snapshot = join(dir, 'snapshots', 'good');
  await online('snapshot', 'save', snapshot, '--data-dir', dir);
  await stop();
  const path = join(dir, 'store.db');
  writeSync(openSync(path, 'r+'), Buffer.alloc(20_000, 0xab), 0, 20_000, 100_000);
  const before = readFileSync(path);
  await expect(startKagent(dir)).rejects.toThrow(/store\.db is damaged .*snapshots\/good.*snapshot restore/);
  expect(readFileSync(path).equals(before)).toBe(true);

  expect((await offline('snapshot', 'restore', snapshot)).code).toBe(0);
  await start();
  expect((await client.range('/k299')).kvs).toHaveLength(1);
});

test('a file that is no datastore at all does not start either', async () => {
  await stop();
  writeFileSync(join(dir, 'store.db'), 'something else'.repeat(1000));
  await expect(startKagent(dir)).rejects.toThrow('is damaged');
  await startFresh();
});

test('a snapshot that was changed or cut off is refused', async () => {
  await fill();
  const path = join(dir, 'good');
  await online('snapshot', 'save', path, '--data-dir', dir);
  const cut = join(dir, 'cut');
  writeFileSync(cut, readFileSync(path).subarray(0, -100));
  expect(await kagent('datastore', 'snapshot', 'verify', cut)).toMatchObject({
    code: 1,
    text: expect.stringContaining('cut off'),
  });
  const changed = join(dir, 'changed');
  copyFileSync(path, changed);
  writeSync(openSync(changed, 'r+'), Buffer.from([1, 2, 3]), 0, 3, 5000);
  const restored = await kagent('datastore', 'snapshot', 'restore', changed, '--data-dir', temporaryDir());
  expect(restored).toMatchObject({ code: 1, text: expect.stringContaining('checksum') });
});

/** For `afterEach`. */
async function startFresh(): Promise<void> {
  dir = temporaryDir();
  await start();
}
