import Database from 'better-sqlite3';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodeRecord } from '../../../../src/datastore/store/store.ts';
import type { LeaseId, Revision, Store, WatchEvent } from '../../../../src/datastore/store/store.ts';
import { fakeClock } from '../../../helpers/clock.ts';
import { openTestStore, put, rangeOf, rangeQuery, txnOf } from '../../../helpers/store.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';
import { eventually } from '../../../helpers/wait.ts';

const withLease = (key: string, lease: LeaseId) => txnOf(put(key, 'x', { lease }));
const count = async (store: Store, key: string) => (await store.range(rangeQuery(rangeOf(key)))).count;

test('a second process on the same file is told that it is in use', async () => {
  const dir = temporaryDir();
  const store = await openTestStore(dir);
  await expect(openTestStore(dir, { onFailed: () => {} })).rejects.toMatchObject({
    code: 'STORE_LOCKED',
    message: expect.stringContaining('in use by another process') as unknown,
  });
  await store.close();
});

test('a file from a newer kagent is refused and left as it is', async () => {
  const dir = temporaryDir();
  await (await openTestStore(dir)).close();
  const db = new Database(join(dir, 'store.db'));
  db.pragma('user_version = 99');
  db.close();
  await expect(openTestStore(dir, { onFailed: () => {} })).rejects.toMatchObject({ code: 'STORE_FORMAT' });
});

test('what is left of a lease survives a restart', async () => {
  const dir = temporaryDir();
  const clock = fakeClock();
  let store = await openTestStore(dir, { clock });
  const { id } = await store.leases.grant(0n as LeaseId, 60);
  await store.txn(withLease('a', id));
  clock.advance(50_000);
  await store.close();
  store = await openTestStore(dir, { clock });
  expect(await store.leases.timeToLive(id, true)).toMatchObject({ ttlSeconds: 10, grantedTtlSeconds: 60 });
  await store.close();
  clock.advance(20_000);
  store = await openTestStore(dir, { clock });
  await eventually(async () => (await count(store, 'a')) === 0);
  expect(await store.leases.list()).toEqual([]);
  await store.close();
});

test('a lease that is kept alive has its whole time after a restart', async () => {
  const dir = temporaryDir();
  const clock = fakeClock();
  let store = await openTestStore(dir, { clock });
  const { id } = await store.leases.grant(0n as LeaseId, 60);
  clock.advance(50_000);
  expect(await store.leases.keepAlive(id)).toBe(60);
  clock.advance(50_000);
  await store.close();
  store = await openTestStore(dir, { clock });
  expect(await store.leases.timeToLive(id, false)).toMatchObject({ ttlSeconds: 60 });
  await store.close();
});

test('a clock that is set back gives no lease more than its time', async () => {
  const dir = temporaryDir();
  const clock = fakeClock();
  let store = await openTestStore(dir, { clock });
  const { id } = await store.leases.grant(0n as LeaseId, 60);
  clock.set(-86_400_000);
  await store.close();
  store = await openTestStore(dir, { clock });
  expect(await store.leases.timeToLive(id, false)).toMatchObject({ ttlSeconds: 60 });
  await store.close();
});

test('a compacted store has its revision and its values after a restart', async () => {
  const dir = temporaryDir();
  let store = await openTestStore(dir);
  for (let i = 0; i < 1200; i += 1) void store.txn(txnOf(put('a', String(i))));
  await store.txn(txnOf(put('b', 'x')));
  const { revision } = await store.txn(txnOf({ kind: 'deleteRange', range: rangeOf('b'), prevKv: false }));
  await store.txn(txnOf(put('c', 'x'), put('d', 'x')));
  await store.compact(revision, true);
  expect(await store.stats()).toMatchObject({ keys: 4, versions: 4, compactRevision: revision });
  await store.compact((revision + 1) as Revision, true);
  expect(await store.stats()).toMatchObject({ keys: 3, versions: 3 });
  await store.close();
  store = await openTestStore(dir);
  expect(await store.stats()).toMatchObject({ keys: 3, versions: 3, revision: revision + 1 });
  const { records } = await store.range(rangeQuery(rangeOf('a')));
  expect(records.map((record) => decodeRecord(record).version)).toEqual([1200]);
  await store.close();
});

test('a revision that compaction left without a row is not given out again', async () => {
  const dir = temporaryDir();
  let store = await openTestStore(dir);
  await store.txn(txnOf(put('a', 'x')));
  await store.txn(txnOf({ kind: 'deleteRange', range: rangeOf('a'), prevKv: false }));
  await store.txn(txnOf(put('a', 'y')));
  const { revision } = await store.txn(txnOf({ kind: 'deleteRange', range: rangeOf('a'), prevKv: false }));
  await store.compact(revision, true);
  await store.close();
  store = await openTestStore(dir);
  expect(store.revision).toBe(revision);
  expect((await store.txn(txnOf(put('a', 'z')))).revision).toBe(revision + 1);
  await store.close();
});

test('a watch that is held continues where it was, though its history has left memory', async () => {
  const dir = temporaryDir();
  const store = await openTestStore(dir, { historyBudgetBytes: 0 });
  const told: WatchEvent[] = [];
  let isHeld = false;
  const watch = store.watch(
    { range: rangeOf('a', 'b'), startRevision: 0 as Revision, noPut: false, noDelete: false },
    {
      events: (_revision, events) => {
        told.push(...events);
        return isHeld;
      },
      compacted: () => expect.unreachable(),
      caughtUp: () => {},
    },
  );
  await store.txn(txnOf(put('a', 'first'), put('ab', 'first')));
  for (let i = 1; i < 1100; i += 1) void store.txn(txnOf(put('a', String(i)), put('ab', String(i))));
  await store.txn(txnOf(put('a', 'last')));
  expect(watch.isSynced).toBe(false);
  const before = told.length;
  expect(before).toBeLessThan(2201);
  isHeld = true;
  watch.resume();
  await eventually(() => watch.isSynced);
  expect(told.length).toBe(2201);
  expect(told.map(({ revision }) => revision)).toEqual(told.map(({ revision }) => revision).toSorted((a, b) => a - b));
  expect(told.slice(before).every(({ previous }) => previous !== undefined)).toBe(true);
  await store.close();
});
