/**
 * One bit of the datastore's files is turned over while nobody serves it, anywhere: what is answered afterwards is right, or it
 * does not start, says which file it is, and leaves it.
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkDatastore } from '../../../src/datastore/backup/backup.ts';
import { decodeRecord } from '../../../src/datastore/store/store.ts';
import type { LeaseId, Revision, Store } from '../../../src/datastore/store/store.ts';
import { prefix, TestClient } from '../../helpers/etcd-client.ts';
import { end } from '../../helpers/etcd-servers.ts';
import { openTestStore, put, rangeOf, rangeQuery, txnOf } from '../../helpers/store.ts';
import { randomFrom } from '../../helpers/random.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';

const serve = resolve(import.meta.dirname, '../../helpers/datastore-serve.ts');
/** A longer run: `KAGENT_BIT_FLIPS=5000`. */
const flips = Number(process.env['KAGENT_BIT_FLIPS'] ?? 16);
/** How a datastore's process that was killed has left its folder. */
let killed: string;
beforeAll(async () => {
  killed = mkdtempSync(join(tmpdir(), 'kagent-killed-'));
  await leaveKilledStore(killed);
}, 600_000);
afterAll(() => rmSync(killed, { recursive: true, force: true }));

function copyOfKilled(): string {
  const dir = temporaryDir();
  cpSync(killed, dir, { recursive: true });
  return dir;
}

/** Its newest writes are in the log alone, older ones in the file, and some of it is free. */
async function leaveKilledStore(data: string): Promise<void> {
  const address = `unix://${join(data, 'store.sock')}`;
  const server = spawn(process.execPath, [serve, '--data-dir', data, '--listen', address], {
    stdio: 'ignore',
  });
  const client = new TestClient(address);
  try {
    await eventually(() => client.currentRevision());
    for (let key = 0; key < 60; key += 1) await client.put(`/gone/${key}`, 'x'.repeat(30_000));
    for (let key = 0; key < 100; key += 1) await client.put(`/kept/${key}`, `first ${'x'.repeat(2000)}`);
    await client.delete('/gone/', prefix('/gone/'));
    await client.compact(await client.currentRevision(), true);
    await client.grant(100_000);
    for (let round = 0; round < 6; round += 1) {
      for (let key = 0; key < 100; key += 1) await client.put(`/kept/${key}`, `${round} ${'x'.repeat(2000)}`);
    }
  } finally {
    await client.close();
    await end(server, 'SIGKILL');
    rmSync(join(data, 'store.sock'), { force: true });
  }
}

/** All that a client can see of it. */
async function everythingIn(store: Store): Promise<string> {
  const all = rangeOf('\0', '\0');
  const seen: string[] = [];
  const stats = await store.stats();
  for (const revision of [0, stats.revision - 1, stats.compactRevision + 50]) {
    const { records } = await store.range(rangeQuery(all, { revision: revision as Revision }));
    seen.push(
      ...records.map((record) =>
        JSON.stringify(decodeRecord(record), (_, one: unknown) => (typeof one === 'bigint' ? `${one}` : one)),
      ),
    );
  }
  const leases = await store.leases.list();
  const { ttlSeconds } = await store.leases.timeToLive(leases[0] as LeaseId, true);
  const { hash } = await store.hashKv(0 as Revision);
  return JSON.stringify([
    stats.revision,
    stats.compactRevision,
    store.clusterId,
    store.memberId,
    leases.map(String),
    ttlSeconds > 0,
    hash,
    seen,
  ]);
}

/** With so little history in memory that most of it is read from the disk. */
async function read(dir: string): Promise<string> {
  const store = await openTestStore(dir, { historyBudgetBytes: 400, onFailed: () => {} });
  try {
    return await everythingIn(store);
  } finally {
    await store.close();
  }
}

const found = ['STORE_DAMAGED', 'STORE_LOST_WRITES', 'STORE_FORMAT'];

/** Where a bit is turned over: the header bit by bit, and the rest here and there. */
function placesIn(file: Buffer, count: number, random: () => number): readonly number[] {
  const header = Array.from({ length: 100 }, (_, byte) => byte * 8 + Math.floor(random() * 8));
  const rest = Array.from({ length: count }, () => Math.floor(random() * file.length * 8));
  return [...header.slice(0, Math.ceil(count / 3)), ...rest];
}

test(
  `of ${flips} bits turned over in the file and in its log none changes what is answered`,
  { timeout: 3_600_000 },
  async () => {
    const expected = await read(copyOfKilled());
    const run = join(temporaryDir(), 'run');

    const seed = Date.now() % 1_000_000;
    const random = randomFrom(seed);
    const ended = { found: 0, harmless: 0 };
    const wrong: string[] = [];
    for (const name of ['store.db', 'store.db-wal']) {
      const whole = readFileSync(join(killed, name));
      expect(whole.length).toBeGreaterThan(100_000);
      for (const bit of placesIn(whole, Math.ceil(flips / 2), random)) {
        cpSync(killed, run, { recursive: true });
        const bytes = Buffer.from(whole);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        writeFileSync(join(run, name), bytes);
        const answer = await read(run).catch((error: unknown) => error);
        if (answer === expected) ended.harmless += 1;
        else if (answer instanceof Error && 'code' in answer && found.includes(String(answer.code))) {
          ended.found += 1;
          if (!answer.message.includes(join(run, 'store.db'))) wrong.push(`${name}, bit ${bit}: ${answer.message}`);
        } else
          wrong.push(
            `${name}, bit ${bit}: ${answer instanceof Error ? (answer.stack ?? '') : String(answer).slice(0, 200)}`,
          );
        rmSync(run, { recursive: true });
      }
    }
    process.stdout.write(`${ended.found} found, ${ended.harmless} where nothing is kept\n`);
    expect(wrong, `seed ${seed}`).toEqual([]);
    expect(ended.found).toBeGreaterThan(flips / 4);
  },
);

test('the last write before a kill, damaged in the log, is missed, and the log is kept', async () => {
  const data = copyOfKilled();
  const log = join(data, 'store.db-wal');
  const bytes = readFileSync(log);
  // The value that was written last: of all that say so the one furthest in the log's present run.
  const at = bytes.lastIndexOf('5 xxxxxxxx');
  bytes[at] = 55;
  writeFileSync(log, bytes);
  await expect(read(data)).rejects.toMatchObject({ code: 'STORE_LOST_WRITES' });
  expect(readFileSync(`${log}.damaged`).equals(bytes)).toBe(true);
  await expect(read(data)).rejects.toMatchObject({ code: 'STORE_LOST_WRITES' }); // a service tries again and again
  rmSync(join(data, 'store.db.acknowledged')); // an operator continues without them
  expect((await read(data)).length).toBeGreaterThan(100_000);
});

/** Changes the file in place, as a disk does, while it is open. */
function damage(path: string, text: string): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, '!', readFileSync(path).indexOf(text));
  closeSync(fd);
}

test('a damaged version that is only read later ends the store, and is in no answer', async () => {
  const dir = temporaryDir();
  const path = join(dir, 'store.db');
  const first = await openTestStore(dir);
  for (const round of [0, 1, 2]) await first.txn(txnOf(put('a', `${'x'.repeat(20_000)} end of round ${round}`)));
  await first.close();
  const { promise: failed, resolve: fail } = Promise.withResolvers<Error>();
  const store = await openTestStore(dir, { historyBudgetBytes: 400, onFailed: fail });
  damage(path, 'end of round 0');
  const old = store.range(rangeQuery(rangeOf('a'), { revision: 2 as Revision }));
  await expect(old).rejects.toMatchObject({ code: 'STORE_DAMAGED' });
  expect(await failed).toMatchObject({ code: 'STORE_DAMAGED' });
  await store.close();
  expect(await checkDatastore(path)).toMatchObject({ isSound: false });
});

test('a snapshot of a store that the disk has damaged meanwhile is not handed out', async () => {
  const dir = temporaryDir();
  const path = join(dir, 'store.db');
  const first = await openTestStore(dir);
  // More than SQLite keeps in memory, and looked at after the rest: what is damaged is read from the disk again.
  for (let key = 0; key < 40; key += 1) await first.txn(txnOf(put(`b${key}`, Buffer.alloc(100_000, 'b'))));
  for (const round of [0, 1, 2]) await first.txn(txnOf(put('a', `${'x'.repeat(20_000)} end of round ${round}`)));
  await first.close();
  const { promise: failed, resolve: fail } = Promise.withResolvers<Error>();
  const store = await openTestStore(dir, { onFailed: fail });
  damage(path, 'end of round 1');
  await expect(store.snapshot()).rejects.toMatchObject({ code: 'STORE_DAMAGED' });
  expect(await failed).toMatchObject({ code: 'STORE_DAMAGED' });
  await store.close();
  expect(readdirSync(dir).filter((name) => name.includes('copy'))).toEqual([]);
});
