/** Snapshot files: written whole or not at all, named by node and time as k3s names its own. */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { temporarySuffix, writeFileAtomic } from '../../shared/files/files.ts';
import { verifySnapshot } from '../store/store.ts';
import type { SnapshotFacts } from '../store/store.ts';

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
export async function saveSnapshot(parts: AsyncIterable<Uint8Array>, path: string): Promise<SnapshotFacts> {
  return await writeFileAtomic(path, 0o600, async (file, partial) => {
    for await (const part of parts) await file.writeFile(part);
    return await verifySnapshot(partial);
  });
}

/** Oldest first; a folder that does not exist holds none. */
export async function listSnapshots(dir: string): Promise<readonly SnapshotFile[]> {
  const names = await readdir(dir).catch(() => []);
  const files: SnapshotFile[] = [];
  for (const name of names.filter((one) => !isPartial(one))) {
    const path = join(dir, name);
    const { size, mtime } = await stat(path);
    files.push({ name, path, sizeBytes: size, createdAt: mtime.toISOString() });
  }
  return files.toSorted((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
}

/** What a save that was broken off has left; `.part` is an earlier kagent's. */
function isPartial(name: string): boolean {
  return name.endsWith(temporarySuffix) || name.endsWith('.part');
}

/** Of those whose names begin so, removes all but the newest `keep`. @returns what was removed */
export async function pruneSnapshots(dir: string, prefix: string, keep: number): Promise<readonly SnapshotFile[]> {
  const files = (await listSnapshots(dir)).filter(({ name }) => name.startsWith(prefix));
  const old = files.slice(0, Math.max(files.length - keep, 0));
  for (const { path } of old) await rm(path);
  return old;
}
