/**
 * @module
 * What an operator does with a datastore: look at it, save it, restore it, check it.
 * Knows: where a box has its datastore, snapshot files. Leaves to others: the file's inside (store/), calls (etcd/).
 */
export { checkDatastore } from './check.ts';
export type { CheckReport } from './check.ts';
export { findSnapshot, listSnapshots, saveSnapshot, snapshotName } from './snapshots.ts';
export { isIn, SnapshotRecords } from './snapshot-records.ts';
export type { SnapshotFile } from './snapshots.ts';
export { restoreDatastore } from './restore.ts';
export { snapshotDirOf, storeDirOf } from './place.ts';
