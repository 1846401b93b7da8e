/** Snapshot files: written whole or not at all, named by node and time as k3s names its own. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { KagentError } from '../../shared/errors.ts';
import { temporarySuffix, writeFileAtomic } from '../../shared/files/files.ts';
import { verifyChecksum, verifySnapshot } from '../store/store.ts';
import type { SnapshotFacts } from '../store/store.ts';

export class SnapshotMissingError extends KagentError {
  readonly code = 'SNAPSHOT_MISSING';
  readonly fault = 'operator';
  constructor(places: readonly string[]) {
    super(`there is no snapshot ${places.join(', nor ')}`, {
      remedy: "'kagent etcd-snapshot ls' lists those there are, by name and path",
    });
  }
}

export interface SnapshotFile {
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** `on-demand-box1-1795230000`: why, where, and the seconds since 1970. */
export function snapshotName(baseName: string, node: string, now: Date): string {
  return `${baseName}-${node}-${Math.floor(now.getTime() / 1000)}`;
}

/** Resolves when the file is on disk and its checksum has been compared. Readable by its owner alone: it holds Secrets. */
export function saveSnapshot(parts: AsyncIterable<Uint8Array>, path: string): Promise<SnapshotFacts> {
  return save(parts, path, verifySnapshot);
}

/** As `saveSnapshot`, of an etcd; `--cluster-reset-restore-path` and etcd's own tools take it. */
export function saveEtcdSnapshot(
  parts: AsyncIterable<Uint8Array>,
  path: string,
): Promise<Pick<SnapshotFacts, 'sizeBytes' | 'sha256'>> {
  return save(parts, path, (partial) => verifyChecksum(partial, () => Promise.resolve()));
}

async function save<T>(
  parts: AsyncIterable<Uint8Array>,
  path: string,
  verify: (partial: string) => Promise<T>,
): Promise<T> {
  return await writeFileAtomic(path, 0o600, async (file, partial) => {
    for await (const part of parts) await file.writeFile(part);
    return await verify(partial);
  });
}

/** Oldest first; a folder that does not exist holds none. */
export async function listSnapshots(dir: string): Promise<readonly SnapshotFile[]> {
  const names = await readdir(dir).catch(() => []);
  return await snapshotsAt(names.filter((one) => !isPartial(one)).map((name) => join(dir, name)));
}

/** Those that are there, oldest first. */
export async function snapshotsAt(paths: readonly string[]): Promise<readonly SnapshotFile[]> {
  const files = await Promise.all(paths.map(snapshotAt));
  return files.filter((file) => file !== undefined).toSorted((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
}

/** undefined where there is no file. */
async function snapshotAt(path: string): Promise<SnapshotFile | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || !found.isFile()) return undefined;
  return { name: basename(path), path, sizeBytes: found.size, createdAt: found.mtime.toISOString() };
}

/** A file, or the name of one in `dir`, as `ls` shows it. @throws {SnapshotMissingError} */
export async function findSnapshot(pathOrName: string, dir: string): Promise<string> {
  const places = pathOrName.includes('/') ? [resolve(pathOrName)] : [resolve(pathOrName), join(dir, pathOrName)];
  for (const path of places) if ((await snapshotAt(path)) !== undefined) return path;
  throw new SnapshotMissingError(places);
}

/** What a save that was broken off has left; `.part` is an earlier kagent's. */
function isPartial(name: string): boolean {
  return name.endsWith(temporarySuffix) || name.endsWith('.part');
}
