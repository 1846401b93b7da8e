/** A disk that holds a call of the datastore for a while, and then continues as if nothing had been. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DiskFaults } from '../../helpers/disk-faults/disk-faults.ts';
import type { Fault } from '../../helpers/disk-faults/disk-faults.ts';
import { TestClient } from '../../helpers/etcd-client.ts';
import { end } from '../../helpers/etcd-servers.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';

/** A long one, as of a disk that resets itself: `KAGENT_HANG_MS=30000`. */
const hangMs = Number(process.env['KAGENT_HANG_MS'] ?? 2000);
const serve = resolve(import.meta.dirname, '../../helpers/datastore-serve.ts');

let faults: DiskFaults;
let start: () => ChildProcess;
let server: ChildProcess;
let client: TestClient;

beforeEach(async () => {
  const dir = temporaryDir();
  const disk = join(dir, 'disk');
  mkdirSync(disk);
  faults = DiskFaults.in(disk, dir);
  const address = `unix://${join(dir, 'store.sock')}`;
  const args = [serve, '--data-dir', disk, '--listen', address];
  start = () => spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, ...faults.env } });
  server = start();
  client = new TestClient(address);
  await eventually(() => client.currentRevision());
});
afterEach(async () => {
  await client.close();
  await end(server);
  faults.close();
});

const hanging: readonly (readonly [name: string, fault: Fault])[] = [
  ['write to the log', { calls: ['write'], kind: 'hang', part: 'store.db-wal', hangMs }],
  ['sync of the log', { calls: ['sync'], kind: 'hang', part: 'store.db-wal', hangMs }],
  ['write of what was acknowledged', { calls: ['write'], kind: 'hang', part: 'store.db.acknowledged', hangMs }],
];

test.each(hanging)(
  'a %s that hangs delays writes and nothing else; all that was asked meanwhile is there afterwards',
  async (_, fault) => {
    await client.put('/before', 'there');
    faults.arm(fault);
    const fromMs = performance.now();
    let isAnswered = false;
    const writes = Promise.all(['a', 'b', 'c'].map((key) => client.put(`/meanwhile/${key}`, key)));
    void writes.then(() => (isAnswered = true));
    await eventually(() => faults.fired > 0, { what: 'the call that hangs' });
    const { kvs } = await client.range('/before');
    expect([kvs.length, isAnswered]).toEqual([1, false]); // a read does not wait for the disk
    await writes;
    expect(performance.now() - fromMs).toBeGreaterThan(hangMs * 0.9); // nothing was acknowledged before its sync
    faults.disarm();
    await client.put('/after', 'too');
    await end(server, 'SIGKILL');
    server = start();
    await eventually(() => client.currentRevision());
    for (const key of ['/before', '/meanwhile/a', '/meanwhile/b', '/meanwhile/c', '/after'])
      expect({ key, count: (await client.range(key)).count }).toEqual({ key, count: 1 });
  },
  hangMs + 60_000,
);
