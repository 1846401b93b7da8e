/** What can go wrong in the store. `datastore/etcd` says it in etcd's words. */
import { KagentError, messageOf } from '../../shared/errors.ts';
import type { Fault } from '../../shared/errors.ts';
import type { LeaseId, Revision } from './shapes.ts';

export class CompactedError extends KagentError {
  readonly code = 'STORE_COMPACTED';
  readonly fault = 'peer';
  readonly compactRevision: Revision;
  constructor(requested: Revision, compactRevision: Revision) {
    super(`revision ${requested} is compacted; the oldest readable one is ${compactRevision}`);
    this.compactRevision = compactRevision;
  }
}

export class FutureRevisionError extends KagentError {
  readonly code = 'STORE_FUTURE_REVISION';
  readonly fault = 'peer';
  constructor(requested: Revision, current: Revision) {
    super(`revision ${requested} does not exist yet; the newest one is ${current}`);
  }
}

/** A request that can never succeed as it is written. */
export class InvalidRequestError extends KagentError {
  readonly code = 'STORE_INVALID_REQUEST';
  readonly fault = 'peer';
  readonly reason: InvalidRequestReason;
  constructor(reason: InvalidRequestReason) {
    super(`the request is not valid: ${reason}`);
    this.reason = reason;
  }
}

export type InvalidRequestReason =
  | 'empty key'
  | 'empty operation'
  | 'value given with ignore_value'
  | 'lease given with ignore_lease'
  | 'too many operations'
  | 'duplicate key'
  | 'unknown sort option'
  | 'request too large';

/** `ignore_value` or `ignore_lease` needs a version to take the rest from. */
export class KeyNotFoundError extends KagentError {
  readonly code = 'STORE_KEY_NOT_FOUND';
  readonly fault = 'peer';
  constructor() {
    super('the key to be changed in part does not exist');
  }
}

export class LeaseNotFoundError extends KagentError {
  readonly code = 'STORE_LEASE_NOT_FOUND';
  readonly fault = 'peer';
  constructor(id: LeaseId) {
    super(`lease ${id.toString(16)} does not exist; it may have expired`);
  }
}

export class LeaseExistsError extends KagentError {
  readonly code = 'STORE_LEASE_EXISTS';
  readonly fault = 'peer';
  constructor(id: LeaseId) {
    super(`lease ${id.toString(16)} exists already`);
  }
}

export class LeaseTtlTooLargeError extends KagentError {
  readonly code = 'STORE_LEASE_TTL_TOO_LARGE';
  readonly fault = 'peer';
  constructor(ttlSeconds: number) {
    super(`a lease of ${ttlSeconds} seconds is longer than the store allows`);
  }
}

export class StoreLockedError extends KagentError {
  readonly code = 'STORE_LOCKED';
  readonly fault = 'operator';
  constructor(path: string, options?: { readonly cause?: unknown }) {
    super(`${path} is in use by another process`, {
      ...options,
      remedy: 'stop that kagent first, or choose another --data-dir',
    });
  }
}

/** The file cannot be read as it was written. It stays as it is: a start on an empty one would look like a lost cluster. */
export class StoreDamagedError extends KagentError {
  readonly code = 'STORE_DAMAGED';
  readonly fault = 'operator';
  readonly why: string;
  constructor(path: string, why: string, options: { readonly snapshot: string | undefined; readonly cause?: unknown }) {
    const next =
      options.snapshot === undefined
        ? 'there is no snapshot beside it: take one from another place'
        : `the newest snapshot here is ${options.snapshot}`;
    super(`${path} is damaged (${why})`, {
      ...options,
      remedy: `${next}, and run: kagent datastore snapshot restore FILE`,
    });
    this.why = why;
  }
}

/** Each write that was acknowledged is noted beside the file, and the file has fewer. */
export class LostWritesError extends KagentError {
  readonly code = 'STORE_LOST_WRITES';
  readonly fault = 'operator';
  constructor(path: string, what: string, log: string | undefined) {
    const kept = log === undefined ? '' : `, and the log that had them is kept as ${log}`;
    super(`${path} has lost what was acknowledged: ${what}${kept}`, {
      remedy: `the disk has damaged its log, or another file was put in its place: restore a snapshot (kagent datastore snapshot restore FILE), or continue with what is there: rm ${path}.acknowledged`,
    });
  }
}

/** A call that the disk did not do: nothing that is asked after it could be promised. */
export class StoreDiskError extends KagentError {
  readonly code = 'STORE_DISK_FAILED';
  readonly fault = 'operator';
  constructor(path: string, what: string, options: { readonly cause: unknown }) {
    super(`the disk does not take or give what belongs to ${path}: ${what}`, {
      ...options,
      remedy:
        'what was acknowledged is in the file, and is read again at the next start: look at the disk (df, mount, dmesg)',
    });
  }
}

export class StoreFormatError extends KagentError {
  readonly code = 'STORE_FORMAT';
  readonly fault = 'operator';
  constructor(path: string, found: number, known: number) {
    super(`${path} has format ${found}, this kagent knows up to ${known}`, {
      remedy: 'it was written by a newer kagent: install that one',
    });
  }
}

/** The store has ended, and nothing can be promised any more. */
export class StoreFailedError extends KagentError {
  readonly code = 'STORE_FAILED';
  readonly fault = 'internal';
  constructor(what: string, options?: { readonly cause?: unknown }) {
    super(`the datastore has stopped: ${what}`, options);
  }
}

export class StoreClosedError extends KagentError {
  readonly code = 'STORE_CLOSED';
  readonly fault = 'peer';
  constructor() {
    super('the datastore is stopping');
  }
}

/** Hashes, snapshots and the like take the disk long, and so few may wait for it. */
export class StoreBusyError extends KagentError {
  readonly code = 'STORE_BUSY';
  readonly fault = 'peer';
  constructor() {
    super('too many requests that take the disk long are waiting already', { remedy: 'ask again later' });
  }
}

/** The alarm NOSPACE is raised, or the disk is full: what makes the store larger is refused, everything else is served. */
export class NoSpaceError extends KagentError {
  readonly code = 'STORE_NO_SPACE';
  readonly fault = 'operator';
  constructor() {
    super(
      'the datastore has no space left, on its disk or in its quota: make room on the disk (df), or compact it, defragment it, then clear the alarm',
    );
  }
}

/** An operator's or a check's finding that the data is damaged: nothing may change until somebody has looked at it. */
export class StoreCorruptError extends KagentError {
  readonly code = 'STORE_CORRUPT';
  readonly fault = 'operator';
  constructor() {
    super('the datastore is marked as damaged', {
      remedy: 'check it, then clear the alarm with `etcdctl alarm disarm`',
    });
  }
}

export class SnapshotFailedError extends KagentError {
  readonly code = 'STORE_SNAPSHOT_FAILED';
  readonly fault = 'operator';
  /** @param copy where the copy of the datastore was to be made */
  constructor(copy: string, why: string) {
    super(`a snapshot could not be taken: ${copy}: ${why}`, {
      remedy: 'look at the disk (df, mount, dmesg): it needs as much room there as the datastore has',
    });
  }
}

export class SnapshotInvalidError extends KagentError {
  readonly code = 'STORE_SNAPSHOT_INVALID';
  readonly fault = 'operator';
  constructor(path: string, why: string) {
    super(`${path} cannot be used: ${why}`, { remedy: 'take another snapshot' });
  }
}

/** What of an error travels from one thread to another: its class does not. */
export interface ForwardedFailure {
  readonly code: string;
  readonly fault: Fault;
  readonly what: string;
  readonly remedy: string | undefined;
}

/** What has no class of ours is a failure of the store. */
export function forwardable(error: unknown): ForwardedFailure {
  if (!(error instanceof KagentError))
    return { code: 'STORE_FAILED', fault: 'internal', what: messageOf(error), remedy: undefined };
  const { code, fault, what, remedy } = error;
  return { code, fault, what, remedy };
}

/** A failure in another thread, with the words, the code and the fault it had there. */
export class ForwardedError extends KagentError {
  readonly code: string;
  readonly fault: Fault;
  constructor({ code, fault, what, remedy }: ForwardedFailure) {
    super(what, { remedy });
    this.code = code;
    this.fault = fault;
  }
}
