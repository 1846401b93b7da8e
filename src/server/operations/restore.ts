/**
 * A snapshot becomes the datastore again. What was there stays beside it under another name, and nothing is half done: the
 * new file gets its name last.
 */
import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { loadInspection, restoreSnapshot, storeFileName, verifySnapshot } from '../store/store.ts';
import type { SnapshotFacts } from '../store/store.ts';

export interface RestoreResult extends SnapshotFacts {
  /** The first revision after the restore. */
  readonly revision: number;
  /** Where the datastore of before is now. */
  readonly setAside: string | undefined;
}

/**
 * `bumpRevision`: the restored datastore goes on with revisions that nobody has seen, and says that everything before is
 * compacted: whoever watched the old one has to list anew, instead of trusting what it remembers.
 * @throws {SnapshotInvalidError} @throws {StoreLockedError} while the datastore is being served
 */
export async function restoreDatastore(
  snapshot: string,
  dir: string,
  options: { readonly bumpRevision: number; readonly now: Date },
): Promise<RestoreResult> {
  await verifySnapshot(snapshot); // before anything is moved
  const { checkUnused, raiseRevision } = await loadInspection();
  const path = join(dir, storeFileName);
  const setAside = existsSync(path) ? `${path}.replaced-${options.now.toISOString()}` : undefined;
  if (setAside !== undefined) {
    checkUnused(path);
    await rename(path, setAside);
    if (existsSync(`${path}-wal`)) await rename(`${path}-wal`, `${setAside}-wal`);
  }
  try {
    const facts = await restoreSnapshot(snapshot, dir);
    return { ...facts, revision: raiseRevision(path, options.bumpRevision), setAside };
  } catch (error) {
    if (setAside !== undefined && !existsSync(path)) {
      await rename(setAside, path);
      if (existsSync(`${setAside}-wal`)) await rename(`${setAside}-wal`, `${path}-wal`);
    }
    throw error;
  }
}
