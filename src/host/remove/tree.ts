import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '../../shared/errors.ts';
import { realPath, isThere } from '../../shared/files/files.ts';
import { isBelow, readMounts } from '../mounts/mounts.ts';
import type { Outcome } from './types.ts';

interface Left {
  /** Mount points. */
  readonly mounts: readonly string[];
  /** Paths that stay without a word: the caller has its reason. */
  readonly kept: readonly string[];
}

/**
 * Takes a folder away with all that is in it, but for mounts: what is mounted there is somebody's disk or a pod's volume,
 * and its files are not ours. A folder that is a mount itself, or a link to one, is emptied and stays.
 */
export async function removeTree(path: string, options: Partial<Left> = {}): Promise<Outcome> {
  const link = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  if (!link || !existsSync(path)) return await removeBelow(realPath(path), leftBy(options));
  const outcome = await emptyFolder(path, options);
  return together([outcome, stays(`${path}: it is a link to ${realPath(path)}, which is its owner's`)]);
}

/** The same, and the folder itself stays, whatever it is. */
export async function emptyFolder(path: string, options: Partial<Left> = {}): Promise<Outcome> {
  // By its real name, which is what mounts have: the folder may be a link to another disk.
  return existsSync(path) ? await removeEntries(realPath(path), leftBy(options)) : nothing;
}

function leftBy({ mounts = readMounts().map((mount) => mount.point), kept = [] }: Partial<Left>): Left {
  // By the names that entries of real folders have; a link that is kept is kept itself.
  return { mounts, kept: kept.map((path) => join(realPath(dirname(path)), basename(path))) };
}

async function removeBelow(path: string, left: Left): Promise<Outcome> {
  if (!isThere(path)) return nothing;
  const isMount = left.mounts.includes(path);
  const mounts = left.mounts.filter((point) => isBelow(point, path));
  const kept = left.kept.filter((one) => isBelow(one, path));
  if (!isMount && mounts.length + kept.length === 0) {
    return attempt(path, () => rm(path, { recursive: true, force: true }));
  }
  const outcome = await removeEntries(path, { mounts, kept });
  if (isMount) return together([outcome, stays(`${path}, with nothing of kagent in it: it is a mount`)]);
  if (kept.some(isThere) || outcome.stayed.length + outcome.failed.length > 0) return outcome;
  return attempt(path, () => rmdir(path));
}

async function removeEntries(path: string, left: Left): Promise<Outcome> {
  const outcomes: Outcome[] = [];
  for (const name of readdirSync(path)) {
    const entry = join(path, name);
    if (left.kept.includes(entry)) continue;
    const isOthers = left.mounts.includes(entry);
    outcomes.push(isOthers ? stays(`${entry}: something is mounted there`) : await removeBelow(entry, left));
  }
  return together(outcomes);
}

export const nothing: Outcome = { stayed: [], failed: [] };

export function together(outcomes: readonly Outcome[]): Outcome {
  return {
    stayed: outcomes.flatMap((outcome) => outcome.stayed),
    failed: outcomes.flatMap((outcome) => outcome.failed),
  };
}

export function stays(sentence: string): Outcome {
  return { stayed: [sentence], failed: [] };
}

async function attempt(path: string, work: () => Promise<void>): Promise<Outcome> {
  try {
    await work();
    return { stayed: [], failed: [] };
  } catch (error) {
    return { stayed: [], failed: [`${path} stays: ${messageOf(error)}`] };
  }
}
