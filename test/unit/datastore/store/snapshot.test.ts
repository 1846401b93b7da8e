/** A snapshot is the store at one moment, can be checked, and is taken back whole or not at all. */
import { createHash } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { restoreDatastore } from '../../../../src/datastore/backup/backup.ts';
import { decodeRecord, verifySnapshot } from '../../../../src/datastore/store/store.ts';
import type { LeaseId, Revision, Store } from '../../../../src/datastore/store/store.ts';
import { openTestStore, put, rangeOf, rangeQuery, txnOf } from '../../../helpers/store.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

test('a snapshot taken during writes holds every Txn whole, and all that were answered before', async () => {
  const dir = temporaryDir();
  const store = await openTestStore(dir);
  const bulk = Buffer.alloc(100_000);
  for (let n = 0; n < 100; n += 1) await store.txn(txnOf(put(`bulk${n}`, bulk)));
  const writing = { isOver: false, count: 0 };
  const writer = (async () => {
    while (!writing.isOver) {
      const value = `${(writing.count += 1)}`;
      await store.txn(txnOf(put('left', value), put('right', value), put(`new${value}`, bulk)));
    }
  })();
  await store.txn(txnOf(put('before', 'answered')));
  const countBefore = writing.count;
  const file = await save(store, join(dir, 'saved.db'));
  writing.isOver = true;
  await writer;
  await store.close();

  const restored = await restore(file);
  expect(await valueOf(restored, 'before')).toBe('answered');
  const left = Number(await valueOf(restored, 'left'));
  expect(`${left}`).toBe(await valueOf(restored, 'right'));
  expect(left).toBeGreaterThanOrEqual(countBefore - 1);
  expect((await restored.range(rangeQuery(rangeOf('bulk', 'bull')))).count).toBe(100);
  await restored.close();
});

test('a restored store continues where the snapshot was: revisions, history, leases, alarms, hash', async () => {
  const dir = temporaryDir();
  const store = await openTestStore(dir);
  const { id } = await store.leases.grant(7n as LeaseId, 600);
  await store.txn(txnOf(put('a', '1'), put('b', '1', { lease: id })));
  await store.txn(txnOf(put('a', '2')));
  await store.alarms.activate('CORRUPT', 5n);
  const file = await save(store, join(dir, 'saved.db'));
  const { hash } = await store.hashKv(0 as Revision);
  await store.alarms.deactivate('CORRUPT', 5n);
  await store.txn(txnOf(put('a', 'later')));
  await store.close();

  const restored = await restore(file);
  expect(restored.revision).toBe(3);
  expect(await valueOf(restored, 'a')).toBe('2');
  expect(await valueOf(restored, 'a', 2)).toBe('1');
  expect((await restored.leases.timeToLive(id, true)).keys.map(String)).toEqual(['b']);
  expect(restored.alarms.list()).toEqual([{ type: 'CORRUPT', memberId: 5n }]);
  expect((await restored.hashKv(0 as Revision)).hash).toBe(hash);
  await restored.close();
});

test('what was cut off, changed or is something else is refused, and leaves nothing behind', async () => {
  const dir = temporaryDir();
  const store = await openTestStore(dir);
  await store.txn(txnOf(put('a', Buffer.alloc(10_000))));
  const file = await save(store, join(dir, 'saved.db'));
  await store.close();
  const whole = await readFile(file);
  expect(await verifySnapshot(file)).toMatchObject({ sizeBytes: whole.length - 32 });

  const changed = Buffer.from(whole);
  changed[9000] = 255 - (changed[9000] ?? 0);
  const foreign = Buffer.alloc(8192, 'something else');
  const cases: [string, Buffer, RegExp][] = [
    ['cut', whole.subarray(0, -100), /cut off/],
    ['short', whole.subarray(0, -4096), /checksum does not match/],
    ['changed', changed, /checksum does not match/],
    ['foreign', Buffer.concat([foreign, createHash('sha256').update(foreign).digest()]), /no snapshot of a kagent/],
    ['empty', Buffer.alloc(0), /cut off/],
  ];
  for (const [name, bytes, message] of cases) {
    const path = join(dir, name);
    const target = join(dir, `restored-${name}`);
    writeFileSync(path, bytes);
    const refusal = { code: 'STORE_SNAPSHOT_INVALID', message: expect.stringMatching(message) as unknown };
    await expect(verifySnapshot(path)).rejects.toMatchObject(refusal);
    await expect(restoreDatastore(path, target, restoring)).rejects.toMatchObject(refusal);
    expect(readdirSync(dir)).not.toContain(`restored-${name}`);
  }
});

test('a snapshot whose checksum is right and whose store is damaged is refused, and what is there stays', async () => {
  const dir = temporaryDir();
  const store = await openTestStore(dir);
  await store.txn(txnOf(put('a', 'a value that is changed later')));
  const file = await save(store, join(dir, 'saved.db'));
  await store.close();
  const content = (await readFile(file)).subarray(0, -32);
  content[content.indexOf('changed later')] = 67;
  writeFileSync(file, Buffer.concat([content, createHash('sha256').update(content).digest()]));
  const before = await readFile(join(dir, 'store.db'));
  await expect(restoreDatastore(file, dir, restoring)).rejects.toMatchObject({
    code: 'STORE_SNAPSHOT_INVALID',
    message: expect.stringContaining('version 1 is not as it was written') as unknown,
  });
  expect(await readFile(join(dir, 'store.db'))).toEqual(before);
  expect(readdirSync(dir).filter((name) => /restoring|replaced/.test(name))).toEqual([]);
});

test('a snapshot takes the place of a store that is damaged beyond opening, and both are there', async () => {
  const dir = temporaryDir();
  const store = await openTestStore(dir);
  await store.txn(txnOf(put('a', 'saved')));
  const file = await save(store, join(dir, 'saved.db'));
  await store.txn(txnOf(put('a', 'later')));
  await store.close();
  writeFileSync(join(dir, 'store.db'), 'no datastore at all');
  const { setAside } = await restoreDatastore(file, dir, restoring);
  expect(await readFile(String(setAside), 'utf8')).toBe('no datastore at all');
  const restored = await openTestStore(dir);
  expect(await valueOf(restored, 'a')).toBe('saved');
  await restored.close();
});

test('a copy that a killed process left is gone after the next start, and a reader that leaves early leaves nothing', async () => {
  const dir = temporaryDir();
  writeFileSync(join(dir, 'store.db.copy-1'), 'half a copy');
  const store = await openTestStore(dir);
  await store.txn(txnOf(put('a', Buffer.alloc(200_000))));
  const { chunks } = await store.snapshot();
  for await (const chunk of chunks) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  expect(readdirSync(dir).filter((name) => name.includes('copy'))).toEqual([]);
  await store.close();
});

test('a snapshot that cannot be written says so, and the store keeps working', async () => {
  const dir = temporaryDir();
  const store = await openTestStore(dir);
  await store.txn(txnOf(put('a', '1')));
  writeFileSync(join(dir, 'store.db.copy-1'), 'in the way');
  await expect(store.snapshot()).rejects.toMatchObject({ code: 'STORE_SNAPSHOT_FAILED' });
  await store.txn(txnOf(put('a', '2')));
  expect(await valueOf(store, 'a')).toBe('2');
  await store.close();
});

/** As `etcdctl snapshot save` writes it. */
async function save(store: Store, path: string): Promise<string> {
  const { sizeBytes, chunks } = await store.snapshot();
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  const content = Buffer.concat(parts);
  expect(content.length).toBe(sizeBytes);
  writeFileSync(path, Buffer.concat([content, createHash('sha256').update(content).digest()]));
  return path;
}

const restoring = { bumpRevision: 0, now: new Date() };

async function restore(path: string): Promise<Store> {
  const dir = temporaryDir();
  await restoreDatastore(path, dir, restoring);
  return openTestStore(dir);
}

async function valueOf(store: Store, key: string, revision = 0): Promise<string> {
  const { records } = await store.range(rangeQuery(rangeOf(key), { revision: revision as Revision }));
  const [record] = records;
  return record === undefined ? '' : Buffer.from(decodeRecord(record).value).toString();
}
