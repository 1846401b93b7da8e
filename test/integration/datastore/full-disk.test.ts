/** A disk that fills up under the datastore: a small file system of its own in a mount namespace of its own. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EtcdCallError } from '../../../src/datastore/client/errors.ts';
import { prefix, TestClient } from '../../helpers/etcd-client.ts';
import { end } from '../../helpers/etcd-servers.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';

const serve = resolve(import.meta.dirname, '../../helpers/datastore-serve.ts');
const value = 'x'.repeat(100_000);

let server: ChildProcess;
let client: TestClient;

beforeEach(async () => {
  const dir = temporaryDir();
  const disk = join(dir, 'disk');
  mkdirSync(disk);
  const address = `unix://${join(dir, 'store.sock')}`;
  const script = 'mount -t tmpfs -o size=40m none "$1" && shift && exec "$@"';
  const command = [process.execPath, serve, '--data-dir', join(disk, 'data'), '--listen', address];
  const namespace = process.getuid?.() === 0 ? '-m' : '-Urm';
  server = spawn('unshare', [namespace, 'sh', '-c', script, 'sh', disk, ...command], { stdio: 'inherit' });
  client = new TestClient(address);
  await eventually(() => client.currentRevision());
  // The folder as the datastore sees it.
  await eventually(() => existsSync(`/proc/${server.pid}/root${disk}/data/store.db.reserve`), { what: 'the reserve' });
});
afterEach(async () => {
  await client.close();
  await end(server);
});

/** @returns the keys whose write was acknowledged, and what the first refusal said */
async function fill(): Promise<{ readonly kept: string[]; readonly refusal: EtcdCallError }> {
  const kept: string[] = [];
  for (let number = 0; number < 1000; number += 1) {
    const key = `/fill/${String(number).padStart(4, '0')}`;
    try {
      await client.put(key, value);
      kept.push(key);
    } catch (error) {
      if (error instanceof EtcdCallError) return { kept, refusal: error };
      throw error;
    }
  }
  throw new Error('the disk does not fill up');
}

test('a full disk refuses what adds, keeps and serves what is there, and recovers by itself', async () => {
  const { id: lease } = await client.grant(100);
  const { kept, refusal } = await fill();
  expect(refusal.grpcCode).toBe(8);
  expect(refusal.message).toBe('etcdserver: mvcc: database space exceeded');

  const { kvs, revision } = await client.range('/fill/', prefix('/fill/'));
  expect(kvs.map((kv) => Buffer.from(kv.key).toString())).toEqual(kept);
  await expect(client.grant(100)).rejects.toThrow('space exceeded');
  expect(await client.leases()).toEqual([lease]);
  expect(await client.currentRevision()).toBe(revision);

  await client.delete('/fill/', prefix('/fill/'));
  await client.compact(await client.currentRevision(), true);
  const after = await eventually(() => client.put('/again', value));
  expect(after.revision).toBe(revision + 2); // the refused ones took none
  expect((await client.range('/again')).kvs).toHaveLength(1);
});
