import { lstatSync, readdirSync } from 'node:fs';
import { rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, systemCode } from '../../shared/errors.ts';
import { isBelow, mountPoints } from './mounts.ts';

/**
 * Takes a folder away with all that is in it, but for mounts: what is mounted there is somebody's disk or a pod's volume,
 * and its files are not ours. A folder that is a mount itself is emptied and stays.
 * @returns what stayed, and why
 */
export async function removeTree(path: string, mounts: readonly string[] = mountPoints()): Promise<readonly string[]> {
  if (!exists(path)) return [];
  const isMount = mounts.includes(path);
  const inside = mounts.filter((point) => isBelow(point, path));
  if (!isMount && inside.length === 0) return attempt(path, () => rm(path, { recursive: true, force: true }));
  const stayed: string[] = [];
  for (const name of readdirSync(path)) {
    const entry = join(path, name);
    if (mounts.includes(entry)) stayed.push(`${entry} stays: something is mounted there`);
    else stayed.push(...(await removeTree(entry, inside)));
  }
  if (isMount) return [...stayed, `${path} stays (empty of kagent): it is a mount`];
  if (stayed.length > 0) return stayed;
  return attempt(path, () => rmdir(path));
}

/** Only if nothing is in it. */
export async function removeIfEmpty(path: string): Promise<void> {
  await rmdir(path).catch((error: unknown) => {
    if (!['ENOTEMPTY', 'ENOENT', 'EEXIST', 'EBUSY'].includes(systemCode(error) ?? '')) throw error;
  });
}

async function attempt(path: string, work: () => Promise<void>): Promise<readonly string[]> {
  try {
    await work();
    return [];
  } catch (error) {
    return [`${path} stays: ${messageOf(error)}`];
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
