import { lstatSync, readdirSync } from 'node:fs';
import { rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../shared/errors.ts';
import { isBelow, readMounts } from '../../shared/mounts/mounts.ts';
import type { Outcome } from './remove.ts';

/**
 * Takes a folder away with all that is in it, but for mounts: what is mounted there is somebody's disk or a pod's volume,
 * and its files are not ours. A folder that is a mount itself is emptied and stays.
 */
export async function removeTree(
  path: string,
  mounts: readonly string[] = readMounts().map((mount) => mount.point),
): Promise<Outcome> {
  if (!exists(path)) return { stayed: [], failed: [] };
  const isMount = mounts.includes(path);
  const inside = mounts.filter((point) => isBelow(point, path));
  if (!isMount && inside.length === 0) return attempt(path, () => rm(path, { recursive: true, force: true }));
  const outcomes: Outcome[] = [];
  for (const name of readdirSync(path)) {
    const entry = join(path, name);
    outcomes.push(
      mounts.includes(entry) ? stays(`${entry}: something is mounted there`) : await removeTree(entry, inside),
    );
  }
  const outcome = together(outcomes);
  if (isMount) return together([outcome, stays(`${path}, with nothing of kagent in it: it is a mount`)]);
  if (outcome.stayed.length + outcome.failed.length > 0) return outcome;
  return attempt(path, () => rmdir(path));
}

export function together(outcomes: readonly Outcome[]): Outcome {
  return {
    stayed: outcomes.flatMap((outcome) => outcome.stayed),
    failed: outcomes.flatMap((outcome) => outcome.failed),
  };
}

function stays(sentence: string): Outcome {
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

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
