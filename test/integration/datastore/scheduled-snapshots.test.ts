import { mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SnapshotRecords } from '../../../src/datastore/backup/backup.ts';
import { snapshotTimer } from '../../../src/datastore/backup/schedule.ts';
import type { SnapshotTimerOptions } from '../../../src/datastore/backup/schedule.ts';
import { verifySnapshot } from '../../../src/datastore/store/store.ts';
import type { Component } from '../../../src/shared/component/component.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { startKagent } from '../../helpers/etcd-servers.ts';
import type { TestServer } from '../../helpers/etcd-servers.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';

let server: TestServer;
let data: string;
let dir: string;
let timer: Component | undefined;

beforeEach(async () => {
  data = temporaryDir();
  server = await startKagent(data);
  dir = join(data, 'snapshots');
});
afterEach(async () => {
  await timer?.stop();
  await server.stop();
});

async function run(options: Partial<SnapshotTimerOptions>): Promise<Component> {
  timer = snapshotTimer({
    endpoint: server.address,
    nodeName: 'box1',
    dir,
    storeDir: data,
    baseName: 'etcd-snapshot',
    schedule: '0 0 1 1 *',
    retention: 5,
    log: silentLog,
    ...options,
  });
  await timer.start(new AbortController().signal);
  return timer;
}
const wholeFiles = (): string[] => readdirSync(dir).filter((name) => !name.endsWith('.part'));
const place = (name: string, agedDays: number): void => {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, name), 'placed');
  const seconds = Date.now() / 1000 - agedDays * 86_400;
  utimesSync(join(dir, name), seconds, seconds);
};

test('a snapshot is saved when the schedule says so, and the oldest of its kind go', async () => {
  place('etcd-snapshot-box1-1795230001', 3);
  place('etcd-snapshot-box1-1795230002', 2);
  place('on-demand-box1-1', 4);
  await run({ schedule: '* * * * * *', retention: 2 });
  await eventually(() => !wholeFiles().includes('etcd-snapshot-box1-1795230002'), { what: 'two new snapshots' });
  const [first, ...others] = wholeFiles().filter((name) => name.startsWith('etcd-snapshot'));
  expect(others.length).toBeLessThanOrEqual(2);
  expect(await verifySnapshot(join(dir, String(first)))).toMatchObject({ sizeBytes: expect.any(Number) });
  expect(wholeFiles()).toContain('on-demand-box1-1');
});

test('what was missed while the box was off is made up for after the start', async () => {
  place('etcd-snapshot-box1-1795230001', 800);
  await run({ catchUpMs: 0 });
  await eventually(() => wholeFiles().length === 2, { what: 'the missed snapshot' });
  expect(wholeFiles()).toContain('etcd-snapshot-box1-1795230001');
});

test('a schedule that missed nothing saves nothing at the start', async () => {
  place('etcd-snapshot-box1-1795230001', 0);
  const component = await run({ catchUpMs: 0 });
  expect(component.health()).toMatchObject({ status: 'True', reason: 'Scheduled' });
  await new Promise(setImmediate);
  expect(wholeFiles()).toEqual(['etcd-snapshot-box1-1795230001']);
});

test('a snapshot that fails says so, and leaves nothing half written', async () => {
  const component = await run({ endpoint: `unix://${dir}/nobody.sock`, catchUpMs: 0 });
  await eventually(() => component.health().reason === 'SnapshotFailed', { what: 'the failure' });
  expect(component.health().status).toBe('False');
  expect(readdirSync(dir)).toEqual([]);
});

/** Runs until two new ones have been saved, of which one stays. */
async function saveTwice(options: Partial<SnapshotTimerOptions>): Promise<void> {
  mkdirSync(dir, { recursive: true });
  const before = new Set(wholeFiles());
  await run({ schedule: '* * * * * *', retention: 1, ...options });
  const fresh = new Set<string>();
  await eventually(
    () => {
      for (const name of wholeFiles()) if (!before.has(name) && !name.includes('.tmp')) fresh.add(name);
      return fresh.size > 2;
    },
    { what: 'snapshots saved one after the other' },
  );
  await timer?.stop();
}

const others = ['etcd-snapshot-box1-b-1795230000', 'etcd-snapshot-box1-before-upgrade', 'etcd-snapshot-box1-2'];

test("another node's snapshots and a person's stay, though their names begin as this node's do", async () => {
  for (const [age, name] of others.entries()) place(name, 100 + age);
  await saveTwice({});
  for (const name of others) expect(wholeFiles()).toContain(name);
  expect(wholeFiles().length).toBeLessThanOrEqual(others.length + 2);
});

test('what was saved under an earlier name, of node or schedule, goes as the rest does', async () => {
  await saveTwice({ nodeName: 'old', baseName: 'nightly' });
  const earlier = wholeFiles();
  expect(earlier.every((name) => name.startsWith('nightly-old-'))).toBe(true);
  await saveTwice({ nodeName: 'box1' });
  expect(wholeFiles().filter((name) => earlier.includes(name))).toEqual([]);
});

test("in a folder elsewhere what is of the time before the record stays: it may be another node's of this name", async () => {
  dir = join(temporaryDir(), 'shared');
  place('etcd-snapshot-box1-1795230001', 100);
  await saveTwice({});
  expect(wholeFiles()).toContain('etcd-snapshot-box1-1795230001');
});

test('a record that is damaged, a folder or a link to nothing is passed over, and the others are known', async () => {
  const dir = temporaryDir();
  const records = new SnapshotRecords(dir);
  const path = join(dir, 'one');
  writeFileSync(path, '');
  records.add({ path, isScheduled: true });
  writeFileSync(join(dir, 'snapshot-records/damaged.json'), '{"path":');
  mkdirSync(join(dir, 'snapshot-records/folder.json'));
  symlinkSync('/not/there', join(dir, 'snapshot-records/link.json'));
  expect((await records.list(() => true)).map(({ name }) => name)).toEqual(['one']);
});
