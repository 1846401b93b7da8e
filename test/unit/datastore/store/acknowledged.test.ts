/** What was acknowledged is noted beside the file, and missed at the next start when it is not there. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BatchBuilder } from '../../../../src/datastore/store/batch.ts';
import { encodeRecord } from '../../../../src/datastore/store/record.ts';
import { SqliteFile } from '../../../../src/datastore/store/sqlite.ts';
import type { LeaseId, Revision } from '../../../../src/datastore/store/store.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

function recordOf(id: number): Uint8Array {
  const revision = (id + 1) as Revision;
  return encodeRecord(`k${id}`, {
    createRevision: revision,
    modRevision: revision,
    version: 1,
    lease: 0n as LeaseId,
    value: Buffer.from('x'),
  });
}

function batchOf(fill: (batch: BatchBuilder) => void): Uint8Array {
  const batch = new BatchBuilder();
  fill(batch);
  return batch.take();
}

const adding = (id: number) => batchOf((batch) => batch.putVersion(id, recordOf(id)));
const dropping = (id: number) => batchOf((batch) => batch.dropVersion(id));

/** One life of the file: each element is one commit. */
function live(path: string, commits: readonly (readonly Uint8Array[])[]): void {
  const file = new SqliteFile(path, undefined);
  try {
    expect([...file.versions()].length).toBeLessThan(2);
    file.settleLog();
    for (const batches of commits) expect(file.commit(batches)).toBe('done');
  } finally {
    file.close();
  }
}

test('a file that has less than was acknowledged is refused, with how much is missing', () => {
  const path = join(temporaryDir(), 'store.db');
  live(path, [[adding(1)]]);
  copyFileSync(path, `${path}.old`);
  live(path, [[adding(2)], [adding(3)]]);
  copyFileSync(`${path}.old`, path);
  expect(() => live(path, [])).toThrow(/its last 2 versions are missing/);
});

test('a commit that changed more than keys is missed too', () => {
  const path = join(temporaryDir(), 'store.db');
  live(path, [[adding(1)], [adding(2)]]);
  copyFileSync(path, `${path}.old`);
  live(path, [[dropping(1)]]);
  copyFileSync(`${path}.old`, path);
  expect(() => live(path, [])).toThrow(/of its commits that changed more than keys 1 are missing/);
});

test('what one commit adds and drops again, or what is compacted later, is not missed', () => {
  const path = join(temporaryDir(), 'store.db');
  live(path, [[adding(1)], [adding(2), adding(3), dropping(3)]]);
  live(path, [[dropping(2)], [dropping(1)]]);
  live(path, [[adding(4)]]);
  expect(() => live(path, [])).not.toThrow();
});
