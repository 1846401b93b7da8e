/** Hashes, alarms and giving space back, where a client of etcd cannot look. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { crc32c } from '../../../../src/datastore/store/crc32c.ts';
import type { Revision } from '../../../../src/datastore/store/store.ts';
import { openTestStore, put, txnOf } from '../../../helpers/store.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

test('the checksum is that of RFC 3720, in one piece or in two', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.from('6789'), crc32c(Buffer.from('12345')))).toBe(0xe3069283);
});

test('an alarm stays raised over a restart, until it is cleared', async () => {
  const dir = temporaryDir();
  let store = await openTestStore(dir);
  await store.alarms.activate('NOSPACE');
  await expect(store.txn(txnOf(put('a')))).rejects.toMatchObject({ code: 'STORE_NO_SPACE' });
  await store.close();
  store = await openTestStore(dir);
  expect(store.alarms.list()).toEqual([{ type: 'NOSPACE', memberId: BigInt(store.memberId) }]);
  await expect(store.txn(txnOf(put('a')))).rejects.toMatchObject({ code: 'STORE_NO_SPACE' });
  await store.alarms.deactivate('NOSPACE');
  await store.txn(txnOf(put('a')));
  await store.close();
  store = await openTestStore(dir);
  expect(store.alarms.isRaised('NOSPACE')).toBe(false);
  await store.close();
});

test('the hash of a Txn that puts several keys is the same after a restart and a compaction of its first', async () => {
  const dir = temporaryDir();
  let store = await openTestStore(dir);
  await store.txn(txnOf(put('a', '1'), put('b', '1')));
  await store.txn(txnOf(put('a', '2')));
  await store.compact(3 as Revision, true);
  const before = await store.hashKv(3 as Revision);
  await store.txn(txnOf(put('c')));
  expect(await store.hashKv(3 as Revision)).toEqual(before);
  await store.close();
  store = await openTestStore(dir);
  expect(await store.hashKv(3 as Revision)).toEqual(before);
  await store.close();
});

test('defragmenting gives the space of compacted versions back during writes', async () => {
  const dir = temporaryDir();
  const store = await openTestStore(dir);
  const value = Buffer.alloc(50_000);
  for (let n = 0; n < 200; n += 1) await store.txn(txnOf(put('a', value)));
  await store.compact(store.revision, true);
  const writes: Promise<unknown>[] = [];
  const defragmenting = store.defragment();
  for (let n = 0; n < 20; n += 1) writes.push(store.txn(txnOf(put(`b${n}`, 'x'))));
  await Promise.all([...writes, defragmenting]);
  const { usedSizeBytes } = await store.stats();
  expect(statSync(join(dir, 'store.db')).size).toBeLessThan(usedSizeBytes + 100_000);
  expect(usedSizeBytes).toBeLessThan(500_000);
  await store.close();
});
