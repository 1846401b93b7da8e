/** Snapshot files: written whole or not at all, named by node and time as k3s names its own. */
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
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
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const partial = `${path}.part`;
  try {
    const file = await open(partial, 'w', 0o600);
    try {
      for await (const part of parts) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    const facts = await verifySnapshot(partial);
    await rename(partial, path);
    return facts;
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** Oldest first; a folder that does not exist holds none. */
export async function listSnapshots(dir: string): Promise<readonly SnapshotFile[]> {
  const names = await readdir(dir).catch(() => []);
  const files: SnapshotFile[] = [];
  for (const name of names.filter((one) => !one.endsWith('.part'))) {
    const path = join(dir, name);
    const { size, mtime } = await stat(path);
    files.push({ name, path, sizeBytes: size, createdAt: mtime.toISOString() });
  }
  return files.toSorted((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
}

/** Of those whose names begin so, removes all but the newest `keep`. @returns what was removed */
export async function pruneSnapshots(dir: string, prefix: string, keep: number): Promise<readonly SnapshotFile[]> {
  const files = (await listSnapshots(dir)).filter(({ name }) => name.startsWith(prefix));
  const old = files.slice(0, Math.max(files.length - keep, 0));
  for (const { path } of old) await rm(path);
  return old;
}
