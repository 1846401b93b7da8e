import { expect, test } from 'vitest';
import { NoSpaceError } from '../../../../src/datastore/store/store.ts';
import type { Key, Operation, Revision } from '../../../../src/datastore/store/store.ts';
import { openTestStore, put, txnOf } from '../../../helpers/store.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';
import { eventually } from '../../../helpers/wait.ts';

const deleteAll: Operation = {
  kind: 'deleteRange',
  range: { key: Buffer.from('k') as Uint8Array as Key, rangeEnd: Buffer.from('l') as Uint8Array as Key },
  prevKv: false,
};

test('compacting at the revision of a range deletion drops all that it deleted', async () => {
  const store = await openTestStore(temporaryDir());
  for (let i = 0; i < 50; i += 1) await store.txn(txnOf(put(`k${i}`, 'value')));
  const { revision } = await store.txn(txnOf(deleteAll));
  await store.compact(revision, true);
  expect((await store.stats()).versions).toBe(50); // the deletions, which a watch from this revision on still sees
  await store.txn(txnOf(put('other')));
  await store.compact((revision + 1) as Revision, true);
  expect((await store.stats()).versions).toBe(1);
  await store.close();
});

test('beyond the quota what adds is refused, what takes away is not, and the alarm holds until it is cleared', async () => {
  const store = await openTestStore(temporaryDir(), { quotaBytes: 4 << 20 });
  const value = Buffer.alloc(100_000);
  const fill = async (): Promise<number> => {
    for (let written = 0; written < 200; written += 1) await store.txn(txnOf(put(`k${written}`, value)));
    return 200;
  };
  await expect(fill()).rejects.toBeInstanceOf(NoSpaceError);
  expect(store.alarms.list().map(({ type }) => type)).toEqual(['NOSPACE']);
  await expect(store.leases.grant(0n as never, 10)).rejects.toBeInstanceOf(NoSpaceError);

  const { revision } = await store.txn(txnOf(deleteAll));
  await store.compact(revision, true);
  await store.defragment();
  await expect(store.txn(txnOf(put('k')))).rejects.toBeInstanceOf(NoSpaceError);
  await store.alarms.deactivate('NOSPACE');
  await eventually(() => store.txn(txnOf(put('k'))));
  await store.close();
});

test('a write that does not fit is refused before it is made', async () => {
  const store = await openTestStore(temporaryDir(), { quotaBytes: 1 << 20 });
  await store.txn(txnOf(put('small', Buffer.alloc(600_000))));
  await expect(store.txn(txnOf(put('large', Buffer.alloc(600_000))))).rejects.toBeInstanceOf(NoSpaceError);
  await store.close();
});

test('ten thousand old versions are dropped in steps, and whoever writes meanwhile waits for two of them at most', async () => {
  const store = await openTestStore(temporaryDir());
  const value = Buffer.alloc(1000);
  let last = 0 as Revision;
  for (let i = 0; i < 100; i += 1) {
    const writes = Array.from({ length: 100 }, (_, key) => store.txn(txnOf(put(`k${key}`, value))));
    last = (await Promise.all(writes)).at(-1)?.revision ?? last;
  }
  const compacted = { isSwept: false };
  const swept = store.compact(last, true).then(() => (compacted.isSwept = true));
  const dropped: number[] = [];
  while (!compacted.isSwept) {
    const before = store.stats(); // counted at once
    await store.txn(txnOf(put('meanwhile', value)));
    const after = store.stats();
    dropped.push((await before).versions - (await after).versions);
  }
  await swept;
  expect((await store.stats()).versions).toBeLessThan(1000); // ten thousand were there
  // One step is on its way to the disk when the write comes, one more may be decided before it is answered.
  expect(Math.max(...dropped)).toBeLessThanOrEqual(2 * largestStep);
  await store.close();
});

/** Of a compaction. */
const largestStep = 1000;
