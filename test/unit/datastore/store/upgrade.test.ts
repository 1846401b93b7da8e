/** A file of an earlier kagent becomes one of this kagent, and one of a later kagent is left alone. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { encodeRecord } from '../../../../src/datastore/store/record.ts';
import { decodeRecord } from '../../../../src/datastore/store/store.ts';
import type { LeaseId, Revision } from '../../../../src/datastore/store/store.ts';
import { openTestStore, put, rangeOf, rangeQuery, txnOf } from '../../../helpers/store.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const rows = 2500;

/** As kagent 0.1.0 made it. */
function fileOfFormat2(path: string): void {
  const db = new Database(path);
  db.pragma('page_size = 8192');
  db.pragma('auto_vacuum = INCREMENTAL');
  db.pragma('journal_mode = WAL');
  db.exec(`
    CREATE TABLE kv (id INTEGER PRIMARY KEY, record BLOB NOT NULL, sub INTEGER NOT NULL DEFAULT 0) STRICT;
    CREATE TABLE lease (
      id INTEGER PRIMARY KEY, ttl_seconds INTEGER NOT NULL, expires_at INTEGER NOT NULL, is_kept_alive INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO meta VALUES ('cluster_id', 11), ('member_id', 22), ('compact_revision', -1);
    INSERT INTO lease VALUES (7, 600, ${Date.now() + 600_000}, 0);
  `);
  const insert = db.prepare('INSERT INTO kv (id, record, sub) VALUES (?, ?, ?)');
  db.transaction(() => {
    for (let id = 1; id <= rows; id += 1) insert.run(id, recordOf(id), id % 2);
  })();
  db.pragma('user_version = 2');
  db.close();
}

function recordOf(id: number): Uint8Array {
  const revision = (1 + Math.ceil(id / 2)) as Revision;
  const value = Buffer.from(`value ${id} ${'x'.repeat(200)}`);
  return encodeRecord(`k${id}`, {
    createRevision: revision,
    modRevision: revision,
    version: 1,
    lease: 7n as LeaseId,
    value,
  });
}

async function contentOf(dir: string): Promise<readonly string[]> {
  const store = await openTestStore(dir, { onFailed: () => {} });
  try {
    const { records } = await store.range(rangeQuery(rangeOf('k', 'l')));
    expect([store.clusterId, store.memberId, await store.leases.list()]).toEqual([11, 22, [7n]]);
    await store.txn(txnOf(put('new')));
    return records.map((record) => Buffer.from(decodeRecord(record).value).toString().split(' x')[0] ?? '');
  } finally {
    await store.close();
  }
}

test('a file of the format before is read, gets its checksums, and is checked from then on', async () => {
  const dir = temporaryDir();
  const path = join(dir, 'store.db');
  fileOfFormat2(path);
  const values = Array.from({ length: rows }, (_, index) => `value ${index + 1}`);
  expect((await contentOf(dir)).toSorted()).toEqual(values.toSorted());
  expect((await contentOf(dir)).toSorted()).toEqual(values.toSorted());
  const bytes = readFileSync(path);
  bytes[bytes.indexOf('value 1234')] = 86;
  writeFileSync(path, bytes);
  await expect(contentOf(dir)).rejects.toMatchObject({ code: 'STORE_DAMAGED' });
});

test('an upgrade of the file that was broken off is finished by the next start', async () => {
  const dir = temporaryDir();
  fileOfFormat2(join(dir, 'store.db'));
  const db = new Database(join(dir, 'store.db'));
  db.exec('ALTER TABLE kv ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0');
  db.close();
  expect(await contentOf(dir)).toHaveLength(rows);
});

test('what is damaged before the upgrade does not become sound by it', async () => {
  const dir = temporaryDir();
  const path = join(dir, 'store.db');
  fileOfFormat2(path);
  const bytes = readFileSync(path);
  bytes.fill(0, 8192 * 5, 8192 * 6);
  writeFileSync(path, bytes);
  await expect(contentOf(dir)).rejects.toMatchObject({ code: 'STORE_DAMAGED' });
});

test('a file of a later kagent is refused by its format, and stays as it is', async () => {
  const dir = temporaryDir();
  const path = join(dir, 'store.db');
  fileOfFormat2(path);
  const db = new Database(path);
  db.pragma('user_version = 4');
  db.close();
  const before = readFileSync(path);
  await expect(contentOf(dir)).rejects.toThrow(
    /has format 4, this kagent knows up to 3; .* newer kagent: install that one/,
  );
  expect(readFileSync(path).equals(before)).toBe(true);
});
