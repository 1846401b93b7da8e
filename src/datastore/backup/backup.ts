/**
 * @module
 * Snapshots of a datastore, by schedule and by hand: saved, kept, verified, restored; and the check of a file.
 * Knows: where a box has its datastore, snapshot files. Leaves to others: the file's inside (store/), calls (etcd/).
 */
export { checkDatastore } from './check.ts';
export type { CheckReport } from './check.ts';
export { findSnapshot, listSnapshots, saveEtcdSnapshot, saveSnapshot, snapshotName } from './snapshots.ts';
export { isIn, SnapshotRecords } from './snapshot-records.ts';
export type { SnapshotFile } from './snapshots.ts';
export { restoreDatastore } from './restore.ts';
export { snapshotTimer } from './schedule.ts';
export { snapshotDirOf, storeDirOf } from './place.ts';
