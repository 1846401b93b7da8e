/** Where the datastore's files are. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathsOf } from '../../shared/paths.ts';
import { storeFileName } from '../store/store.ts';

/** Where snapshots are kept, if the settings name no other folder. */
export function snapshotDirOf(storeDir: string): string {
  return join(storeDir, 'snapshots');
}

/** `dataDir` is kagent's, or the folder that `kagent datastore serve` was given. */
export function storeDirOf(dataDir: string): string {
  return existsSync(join(dataDir, storeFileName)) ? dataDir : pathsOf(dataDir).server.db;
}
