export interface Timing {
  /** A file that changed within this time is still being written. */
  readonly settleMs: number;
  /** And is not complained about within this one. */
  readonly patienceMs: number;
  /** So long an object is missing from its file, or its file from the folder, before it is removed. */
  readonly pruneAfterMs: number;
}

/** What is known of a file that is there. */
export interface FileState {
  readonly stamp: string;
  readonly hash?: string;
  readonly error?: Error;
  readonly count: number;
  /** Of its objects in the cluster. */
  readonly uids: ReadonlySet<string>;
}
