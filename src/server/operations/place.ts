/** Where the datastore's files are. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathsOf } from '../../shared/paths.ts';
import { storeFileName } from '../store/store.ts';

/** `dataDir` is kagent's, or the folder that `kagent datastore serve` was given. */
export function storeDirOf(dataDir: string): string {
  return existsSync(join(dataDir, storeFileName)) ? dataDir : pathsOf(dataDir).server.db;
}
