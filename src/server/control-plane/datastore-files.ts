import type { Account } from './account.ts';
import type { DatastoreFiles } from './types.ts';

/** By names of their own: the operator's may be those of kagent's. @returns where the program finds them */
export function giveDatastoreFiles({ give }: Account, { ca, cert, key }: DatastoreFiles): DatastoreFiles {
  return {
    ...(ca !== undefined && { ca: give(ca, 'datastore-ca.crt') }),
    ...(cert !== undefined && { cert: give(cert, 'datastore-client.crt') }),
    ...(key !== undefined && { key: give(key, 'datastore-client.key') }),
  };
}
