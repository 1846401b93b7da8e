/** A full check of a datastore's file, on a copy: the file itself is not even opened for writing. */
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { loadInspection, storeFileName } from '../store/store.ts';
import type { StoreFinding } from '../store/store.ts';

export interface CheckReport {
  readonly path: string;
  readonly findings: readonly StoreFinding[];
  readonly isSound: boolean;
}

/** `path`: a store's file or a snapshot. Needs as much room beside it. */
export async function checkDatastore(path: string): Promise<CheckReport> {
  const dir = await mkdtemp(join(dirname(path), '.check-'));
  try {
    const copy = join(dir, storeFileName);
    await copyFile(path, copy);
    if (existsSync(`${path}-wal`)) await copyFile(`${path}-wal`, `${copy}-wal`);
    const { checkStore } = await loadInspection();
    const findings = checkStore(copy);
    return { path, findings, isSound: findings.every(({ problem }) => problem === undefined) };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
