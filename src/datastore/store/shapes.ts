/** The shapes that go in and out of the store. */
declare const unit: unique symbol;
type Unit<T, Name extends string> = T & { readonly [unit]: Name };

export type Revision = Unit<number, 'Revision'>; // a safe integer
export type LeaseId = Unit<bigint, 'LeaseId'>; // clients use all 63 bits
export type Key = Unit<Uint8Array, 'Key'>; // bytes, compared as memcmp does

export interface KeyRange {
  readonly key: Key;
  /** Exclusive; absent: that one key; a single zero byte: to the end. */
  readonly rangeEnd?: Key;
}

export interface KeyValue {
  readonly key: Uint8Array;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  /** Counts from 1 at the key's creation; 0 in the record of a deletion. */
  readonly version: number;
  readonly lease: LeaseId;
  readonly value: Uint8Array;
}

/** For what is filled in field by field before anybody else sees it. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export type SortTarget = 'key' | 'version' | 'create' | 'mod' | 'value';

export interface RangeQuery {
  readonly kind: 'range';
  readonly range: KeyRange;
  /** 0: no limit. */
  readonly limit: number;
  /** 0 or less: the newest. */
  readonly revision: Revision;
  readonly sortOrder: 'none' | 'ascend' | 'descend';
  readonly sortTarget: SortTarget;
  readonly keysOnly: boolean;
  readonly countOnly: boolean;
  /** 0: any. The same holds for the three that follow. */
  readonly minModRevision: number;
  readonly maxModRevision: number;
  readonly minCreateRevision: number;
  readonly maxCreateRevision: number;
}

export interface Put {
  readonly kind: 'put';
  readonly key: Key;
  readonly value: Uint8Array;
  /** 0: none. */
  readonly lease: LeaseId;
  readonly prevKv: boolean;
  readonly ignoreValue: boolean;
  readonly ignoreLease: boolean;
}

export interface DeleteRange {
  readonly kind: 'deleteRange';
  readonly range: KeyRange;
  readonly prevKv: boolean;
}

export interface Compare {
  readonly range: KeyRange;
  readonly target: 'version' | 'create' | 'mod' | 'value' | 'lease';
  readonly result: 'equal' | 'greater' | 'less' | 'notEqual';
  /** What to compare with: a value for the target `value`, otherwise a number. */
  readonly value: Uint8Array;
  readonly number: bigint;
}

/** Compares of nested Txns see the state before the outermost one, as in etcd. */
export interface Txn {
  readonly kind: 'txn';
  readonly compare: readonly Compare[];
  readonly success: readonly Operation[];
  readonly failure: readonly Operation[];
}

/** `none` is what a peer sends that left its operation empty: refused by the store's checks. */
export type Operation = RangeQuery | Put | DeleteRange | Txn | { readonly kind: 'none' };

export interface RangeResult {
  readonly kind: 'range';
  /** The store's revision when it was read, not the one asked for. */
  readonly revision: Revision;
  /** Encoded mvccpb.KeyValue each, see record.ts; empty for `countOnly`. With `keysOnly` without the value. */
  readonly records: readonly Uint8Array[];
  readonly more: boolean;
  /** All keys of the range at that revision, whatever the limit. */
  readonly count: number;
}

export interface PutResult {
  readonly kind: 'put';
  readonly revision: Revision;
  readonly previous: Uint8Array | undefined;
}

export interface DeleteRangeResult {
  readonly kind: 'deleteRange';
  readonly revision: Revision;
  readonly deleted: number;
  readonly previous: readonly Uint8Array[];
}

export interface TxnResult {
  readonly kind: 'txn';
  readonly revision: Revision;
  readonly succeeded: boolean;
  readonly responses: readonly OperationResult[];
}

export type OperationResult = RangeResult | PutResult | DeleteRangeResult | TxnResult;

export interface WatchEvent {
  readonly revision: Revision;
  readonly isDelete: boolean;
  readonly record: Uint8Array;
  /** The version before, if there was one and it is not compacted. */
  readonly previous: Uint8Array | undefined;
}

export interface WatchQuery {
  readonly range: KeyRange;
  /** 0: from now on; a future one is waited for. */
  readonly startRevision: Revision;
  readonly noPut: boolean;
  readonly noDelete: boolean;
}

/** Where a watch puts its news; called in the order of revisions, never for half a revision. */
export interface WatchSink {
  /**
   * The next events of the watch; those of the past come in parts, and `revision` is where the last part ends.
   * @returns false to hold the watch: its next events come after `resume()`, read from the history
   */
  events(revision: Revision, events: readonly WatchEvent[]): boolean;
  /** The watch wanted revisions that are gone; it has ended. */
  compacted(compactRevision: Revision): void;
  /** The watch has had everything up to the present, after being behind. */
  caughtUp(): void;
}

export interface StoreWatch {
  /** Has had every event up to the store's revision. */
  readonly isSynced: boolean;
  readonly startRevision: Revision;
  resume(): void;
  cancel(): void;
}

export interface LeaseInfo {
  readonly id: LeaseId;
  readonly grantedTtlSeconds: number;
  /** -1: the lease does not exist. */
  readonly ttlSeconds: number;
  readonly keys: readonly Uint8Array[];
}

export interface LeaseStore {
  /** `id` 0: the store chooses one. @throws {LeaseExistsError} @throws {LeaseTtlTooLargeError} */
  grant(id: LeaseId, ttlSeconds: number): Promise<{ readonly id: LeaseId; readonly ttlSeconds: number }>;
  /** Deletes the lease and its keys at one revision. @throws {LeaseNotFoundError} */
  revoke(id: LeaseId): Promise<Revision>;
  /** @returns the new seconds to live; 0: no such lease */
  keepAlive(id: LeaseId): Promise<number>;
  timeToLive(id: LeaseId, withKeys: boolean): Promise<LeaseInfo>;
  list(): Promise<readonly LeaseId[]>;
}

/** While `NOSPACE` is raised nothing may grow; while `CORRUPT` is, nothing may change. */
export type AlarmType = 'NOSPACE' | 'CORRUPT';

export interface Alarm {
  readonly type: AlarmType;
  /** Who raised it: this store, unless a client said otherwise. */
  readonly memberId: bigint;
}

/** What is raised stays raised over a restart, until somebody deactivates it. */
export interface AlarmStore {
  list(): readonly Alarm[];
  isRaised(type: AlarmType): boolean;
  /** Raised at once; resolves when that is on disk. `memberId`: this store's own, unless said. */
  activate(type: AlarmType, memberId?: bigint): Promise<Alarm>;
  /** @returns undefined: it was not raised */
  deactivate(type: AlarmType, memberId?: bigint): Promise<Alarm | undefined>;
}

/** Equal in every store with the same history, etcd's included. */
export interface KvHash {
  readonly hash: number;
  readonly hashRevision: Revision;
  /** -1: never compacted. */
  readonly compactRevision: Revision;
}

/** The whole store at one moment, as a file of its own: what `unpackSnapshot` takes. */
export interface Snapshot {
  readonly sizeBytes: number;
  /** Read once, at the reader's pace; its space on disk is free again when this ends or is left. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

export interface StoreStats {
  readonly revision: Revision;
  /** -1: never compacted. */
  readonly compactRevision: Revision;
  readonly keys: number;
  readonly versions: number;
  readonly watches: number;
  readonly leases: number;
  readonly fileSizeBytes: number;
  readonly usedSizeBytes: number;
  /** What the file may use; then writes that add are refused. */
  readonly quotaBytes: number;
}

/** What the keys below a prefix hold. */
export interface PrefixUsage {
  readonly prefix: string;
  readonly keys: number;
  /** Of the newest versions. */
  readonly sizeBytes: number;
  /** Older versions that are not compacted yet, deletions among them. */
  readonly oldVersions: number;
  readonly oldSizeBytes: number;
  /** Versions since the revision that was asked for. */
  readonly writes: number;
}

export interface Store {
  readonly clusterId: number;
  readonly memberId: number;
  /** The newest revision that is on disk: what every read sees. */
  readonly revision: Revision;
  readonly leases: LeaseStore;
  readonly alarms: AlarmStore;
  /** @throws {CompactedError} below the compacted revision. @throws {FutureRevisionError} */
  range(query: RangeQuery): Promise<RangeResult>;
  /** Atomic; all its writes share one revision; answered when that is on disk. Compares that fail are a result, never an error. */
  txn(txn: Txn): Promise<TxnResult>;
  /** Each event once, in order. The sink hears of a compacted start in its own time, never inside this call. */
  watch(query: WatchQuery, sink: WatchSink): StoreWatch;
  /** `physical` waits until the old versions are gone from the disk too. @throws {CompactedError} @throws {FutureRevisionError} */
  compact(revision: Revision, physical: boolean): Promise<void>;
  stats(): Promise<StoreStats>;
  /** By prefixes of `depth` parts, such as 2: `/registry/pods/`. */
  usage(depth: number, sinceRevision: Revision): Promise<readonly PrefixUsage[]>;
  /** Over every version up to `revision`; 0: the newest. @throws {CompactedError} @throws {FutureRevisionError} */
  hashKv(revision: Revision): Promise<KvHash>;
  /** Writes continue meanwhile; needs as much room on the disk as the store's file has. @throws {SnapshotFailedError} */
  snapshot(): Promise<Snapshot>;
  /** Resolves when the space that nothing uses is given back to the file system. */
  defragment(): Promise<void>;
  /** Resolves when everything accepted is on disk and the file is closed. */
  close(): Promise<void>;
}
