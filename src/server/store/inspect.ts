/**
 * @module
 * Looks at the file of a store that nobody serves: whether it is in use, whether all of it is sound.
 */
import { nativeAddonPath } from '../../shared/assets/assets.ts';
import { messageOf } from '../../shared/errors.ts';
import { decodeRecord, keyText } from './record.ts';
import { openUnserved } from './sqlite.ts';
import type { UnservedFile } from './sqlite.ts';

/** One thing that was looked at; `problem` absent: it is as it should be. */
export interface StoreFinding {
  readonly what: string;
  readonly problem: string | undefined;
}

/** @throws {StoreLockedError} when a process serves it */
export function checkUnused(path: string): void {
  openUnserved(path, nativeAddonPath()).close();
}

/** Everything below the newest revision plus `by` counts as compacted. @returns the newest revision from now on */
export function raiseRevision(path: string, by: number): number {
  const file = openUnserved(path, nativeAddonPath());
  try {
    const revision = file.newestRevision() + by;
    if (by > 0) file.setCompactRevision(revision);
    return revision;
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
    const looks: readonly (readonly [what: string, look: () => string | undefined])[] = [
      ['every page of the file is sound', () => file.integrityProblem()],
      ['every version can be read, in order', () => versionProblem(file)],
      ['every lease that a key has exists', () => leaseProblem(file)],
    ];
    return looks.map(([what, look]) => ({ what, problem: problemOf(look) }));
  } finally {
    file.close();
  }
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
