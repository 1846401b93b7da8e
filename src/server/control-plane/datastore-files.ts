import type { Account } from './account.ts';
import type { DatastoreFiles } from './types.ts';

/** By names of their own: the operator's may be those of kagent's. @returns where the program finds them */
export function giveDatastoreFiles({ give }: Account, files: DatastoreFiles): DatastoreFiles {
  return Object.fromEntries(Object.entries(files).map(([kind, path]) => [kind, give(path, `datastore-${kind}.pem`)]));
}
