/**
 * A snapshot becomes the datastore again. What was there stays beside it under another name, and at every moment one of the two is
 * there whole:
 *
 *   snapshot ──checked, made a store, synced──▶ store.db.restoring ──rename──▶ store.db ──second name──▶ store.db.replaced-TIME
 */
import { existsSync } from 'node:fs';
import { link, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../../shared/files/files.ts';
import {
  acknowledgedPath,
  loadInspection,
  SnapshotInvalidError,
  StoreDamagedError,
  storeFileName,
  unpackSnapshot,
} from '../store/store.ts';
import type { SnapshotFacts } from '../store/store.ts';

export interface RestoreResult extends SnapshotFacts {
  /** The first revision after the restore. */
  readonly revision: number;
  /** Where the datastore of before is now. */
  readonly setAside: string | undefined;
}

interface RestoreOptions {
  readonly bumpRevision: number;
  readonly now: Date;
}

/**
 * `bumpRevision`: the restored datastore continues with revisions that nobody has seen, and says that everything before is
 * compacted: whoever watched the old one has to list anew, instead of trusting what it remembers.
 * @throws {SnapshotInvalidError} @throws {StoreLockedError} while the datastore is being served
 */
export async function restoreDatastore(snapshot: string, dir: string, options: RestoreOptions): Promise<RestoreResult> {
  const path = join(dir, storeFileName);
  const partial = `${path}.restoring`;
  try {
    await removeStore(partial); // of one that was killed
    const facts = await unpackSnapshot(snapshot, partial);
    const revision = await adopt(snapshot, partial, options.bumpRevision);
    const setAside = await takePlace(partial, path, options.now);
    return { ...facts, revision, setAside };
  } catch (error) {
    await removeStore(partial).catch(() => {}); // a disk that fails fails here too, and the first error says more
    throw error;
  }
}

/** @returns its newest revision. @throws {SnapshotInvalidError} when what is in it is damaged, though its checksum is right */
async function adopt(snapshot: string, partial: string, bumpRevision: number): Promise<number> {
  const { adoptCopy } = await loadInspection();
  try {
    return adoptCopy(partial, bumpRevision);
  } catch (error) {
    if (error instanceof StoreDamagedError) throw new SnapshotInvalidError(snapshot, error.why);
    throw error;
  }
}

/** @returns the name of what was there */
async function takePlace(partial: string, path: string, now: Date): Promise<string | undefined> {
  const dir = join(path, '..');
  if (!existsSync(path)) {
    await rename(partial, path);
    await syncFolder(dir);
    return undefined;
  }
  const { checkUnused } = await loadInspection();
  checkUnused(path);
  const setAside = `${path}.replaced-${now.toISOString()}`;
  await link(path, setAside);
  const undo = [() => rm(setAside, { force: true })];
  try {
    // A log that is left over would be played into the restored file.
    for (const moved of ['-wal', '-wal.damaged']) {
      if (!existsSync(`${path}${moved}`)) continue;
      await rename(`${path}${moved}`, `${setAside}${moved}`);
      undo.push(() => rename(`${setAside}${moved}`, `${path}${moved}`));
    }
    await rename(partial, path);
  } catch (error) {
    for (const step of undo.toReversed()) await step().catch(() => {});
    throw error;
  }
  // What the old one owes; the new one, which has another id, starts its own.
  if (existsSync(acknowledgedPath(path))) await rename(acknowledgedPath(path), acknowledgedPath(setAside));
  await syncFolder(dir);
  return setAside;
}

async function removeStore(path: string): Promise<void> {
  for (const file of [path, `${path}-wal`, acknowledgedPath(path)]) await rm(file, { force: true });
}
