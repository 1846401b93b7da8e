/**
 * @module
 * Looks at the file of a store that nobody serves: whether it is in use, whether all of it is sound.
 */
import { nativeAddonPath } from '../../host/assets/assets.ts';
import { messageOf } from '../../shared/errors.ts';
import { decodeRecord, keyText } from './record.ts';
import { DamagedRowError } from './checksums.ts';
import { StoreDamagedError } from './errors.ts';
import { failureIn } from './failure.ts';
import { openUnserved } from './unserved.ts';
import type { UnservedFile } from './unserved.ts';

/** One thing that was checked; `problem` absent: it is sound. */
export interface StoreFinding {
  readonly what: string;
  readonly problem: string | undefined;
}

/** A damaged one is used by nobody. @throws {StoreLockedError} when a process serves it */
export function checkUnused(path: string): void {
  try {
    openUnserved(path, nativeAddonPath()).close();
  } catch (error) {
    if (!(error instanceof StoreDamagedError)) throw error;
  }
}

/**
 * Makes a copy of a store one of its own: sound, of this kagent's format, all of it in the file. Everything below the
 * newest revision plus `by` counts as compacted.
 * @returns the newest revision from now on. @throws {StoreDamagedError} @throws {StoreDiskError}
 */
export function adoptCopy(path: string, by: number): number {
  const file = openUnserved(path, nativeAddonPath());
  try {
    const [problem] = findingsIn(file).flatMap(({ problem: found }) => found ?? []);
    if (problem !== undefined) throw new DamagedRowError(problem);
    const revision = file.newestRevision() + by;
    file.adopt(by > 0 ? revision : undefined);
    return revision;
  } catch (error) {
    throw failureIn(path, error) ?? error;
  } finally {
    file.close();
  }
}

/** Opens the file for writing, as a start would: give it a copy. */
export function checkStore(path: string): readonly StoreFinding[] {
  let file: UnservedFile;
  try {
    file = openUnserved(path, nativeAddonPath());
  } catch (error) {
    return [{ what: 'the file opens', problem: messageOf(error) }];
  }
  try {
    return findingsIn(file);
  } finally {
    file.close();
  }
}

function findingsIn(file: UnservedFile): readonly StoreFinding[] {
  const looks: readonly (readonly [what: string, look: () => string | undefined])[] = [
    ['every page of the file is sound', () => file.integrityProblem()],
    ['every version can be read, in order', () => versionProblem(file)],
    ['every lease that a key has exists', () => leaseProblem(file)],
    ['everything that was acknowledged is there', () => file.lostProblem()],
  ];
  return looks.map(([what, look]) => ({ what, problem: problemOf(look) }));
}

function problemOf(look: () => string | undefined): string | undefined {
  try {
    return look();
  } catch (error) {
    return messageOf(error);
  }
}

function versionProblem(file: UnservedFile): string | undefined {
  const last = new Map<string, { readonly version: number; readonly revision: number }>();
  let revision = 0;
  for (const { id, record } of file.versions()) {
    const kv = decodeRecord(record);
    const key = keyText(kv.key);
    const before = last.get(key);
    if (key === '') return `version ${id} has no key`;
    if (kv.modRevision < revision) return `version ${id} has revision ${kv.modRevision}, the one before it ${revision}`;
    const continues = before === undefined || kv.version === 0 || kv.version === before.version + 1;
    if (!continues) return `version ${id} of ${key} counts ${kv.version} after ${before.version}`;
    revision = kv.modRevision;
    last.set(key, { version: kv.version, revision });
  }
  return undefined;
}

function leaseProblem(file: UnservedFile): string | undefined {
  const leases = new Map<string, bigint>();
  for (const { record } of file.versions()) {
    const { key, lease } = decodeRecord(record);
    leases.set(keyText(key), lease);
  }
  const known = file.leaseIds();
  for (const [key, lease] of leases) {
    if (lease !== 0n && !known.has(lease)) return `${key} belongs to lease ${lease.toString(16)}, which does not exist`;
  }
  return undefined;
}
