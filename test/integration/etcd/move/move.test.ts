/** A datastore moves into a real etcd, which has every key, version, revision and lease of it. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connectKeys, exportAll } from '../../../../src/datastore/client/client.ts';
import type { Digest } from '../../../../src/datastore/client/client.ts';
import { run, runToEnd } from '../../../../src/host/run.ts';
import { startEtcd, startKagent } from '../../../helpers/etcd-servers.ts';
import { etcdctl } from '../../../helpers/etcdctl.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const program = resolve(import.meta.dirname, '../../../../dist/components/bin/etcd-import');
const member = (dir: string) => ['--data-dir', dir, '--name', 'etcd', '--peer-url', 'http://127.0.0.1:2380'];

/** A datastore with some history: keys that were changed, deleted, written together, and one with a lease. */
async function filled(keyCount: number) {
  const server = await startKagent(temporaryDir());
  onTestFinished(() => server.stop());
  const keys = connectKeys(server.address);
  onTestFinished(() => keys.close());
  for (let at = 0; at < keyCount; at++) await keys.put(`/registry/key-${at}`, `value ${at}`.repeat(1 + (at % 7)));
  for (let at = 0; at < keyCount; at += 3) await keys.put(`/registry/key-${at}`, 'changed');
  for (let at = 0; at < keyCount; at += 5) await keys.delete(`/registry/key-${at}`);
  const lease = /lease (\w+)/.exec(await etcdctl(server.address, 'lease', 'grant', '600'))?.[1] ?? '';
  await etcdctl(server.address, 'put', '/with-lease', 'x', `--lease=${lease}`);
  await keys.delete('/registry/key-1'); // the last revision is that of no key
  return { address: server.address, lease };
}

async function importInto(dir: string, address: string) {
  const exported = exportAll(address);
  onTestFinished(() => exported.close());
  const read = JSON.parse(await run(program, member(dir), { input: exported.records })) as Digest;
  return { sent: exported.digest(), read };
}

test('etcd reads what was sent, and starts with it: keys, versions, revisions, leases, and the next revision', async () => {
  const { address, lease } = await filled(1200);
  const dir = temporaryDir();
  const { sent, read } = await importInto(join(dir, 'etcd'), address);
  expect(sent.keys).toBeGreaterThan(900);
  expect(read).toEqual(sent);

  const etcd = await startEtcd(dir);
  onTestFinished(() => etcd.stop());
  const again = exportAll(etcd.address);
  onTestFinished(() => again.close());
  for await (const _ of again.records);
  expect(again.digest()).toEqual(sent);
  const header = async (at: string) => /"revision":(\d+)/.exec(await etcdctl(at, 'get', 'none', '-w', 'json'))?.[1];
  expect(await header(etcd.address)).toBe(await header(address));
  expect(await etcdctl(etcd.address, 'lease', 'timetolive', lease)).toMatch(
    /granted with TTL\(600s\), remaining\(5\d\ds\)/,
  );
  await expect(etcdctl(etcd.address, 'get', '/registry/key-3', '--rev=2')).rejects.toThrow('has been compacted');
  await etcdctl(etcd.address, 'put', '/registry/key-3', 'after');
  await etcdctl(etcd.address, 'lease', 'revoke', lease);
  expect(await etcdctl(etcd.address, 'get', '/with-lease')).toBe('');
});

test('records that end too early make nothing', async () => {
  const { address } = await filled(20);
  const dir = join(temporaryDir(), 'etcd');
  async function* broken() {
    let left = 10;
    for await (const one of exportAll(address).records) {
      if (left-- === 0) return;
      yield one;
    }
  }
  const { code, stderr } = await runToEnd(program, member(dir), { input: broken() });
  expect(code).toBe(1);
  expect(stderr).toContain('the records end before their end');
  expect(existsSync(join(dir, 'member'))).toBe(false);
});

test('a source that fails ends the program with the reason', async () => {
  const dir = join(temporaryDir(), 'etcd');
  async function* failing(): AsyncGenerator<Buffer> {
    yield Buffer.from([0, 0, 0, 1, 'r'.charCodeAt(0), '9'.charCodeAt(0)]);
    throw new Error('the old datastore does not answer');
  }
  const { reason } = await runToEnd(program, member(dir), { input: failing() });
  expect(reason).toBe('the old datastore does not answer');
  expect(existsSync(join(dir, 'member'))).toBe(false);
});
