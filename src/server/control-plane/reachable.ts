import { readFileSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { dirname } from 'node:path';

const deepest = 3; // a configuration names a kubeconfig, which names a key
const longestText = 1024 * 1024;

/**
 * The first of these files, or of those that they name in their text, that is not open to this user and its group: to read, to
 * connect to, or to write what is not there yet. A file that looks as if it named another may not; then root is what it was
 * before.
 */
export function unreachableFile(paths: readonly string[], uid: number, depth = 0): string | undefined {
  for (const path of paths) {
    const closed = closedPart(path, uid);
    if (closed !== undefined) return closed;
    const named = depth < deepest ? unreachableFile(pathsInFile(path), uid, depth + 1) : undefined;
    if (named !== undefined) return named;
  }
  return undefined;
}

/** The path itself or the folder above it that keeps the user out. */
function closedPart(path: string, uid: number): string | undefined {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const stat = statOf(folder);
    if (stat !== undefined && !allows(stat, uid, 0o1)) return folder;
    if (folder === '/') break;
  }
  const file = statOf(path);
  if (file === undefined) {
    const folder = statOf(dirname(path));
    return folder === undefined || allows(folder, uid, 0o2) ? undefined : dirname(path);
  }
  const needed = file.isDirectory() ? 0o5 : file.isSocket() || isWritten(path) ? 0o6 : 0o4;
  return allows(file, uid, needed) ? undefined : path;
}

/** By custom a log is called so, and it is opened to write. */
function isWritten(path: string): boolean {
  return /\.log$|\blogs?\b/.test(path);
}

/** Modes alone: a file that an access list opens further is taken for closed. */
function allows({ mode, uid: owner, gid }: Stats, uid: number, needed: number): boolean {
  const bits = owner === uid ? mode >> 6 : gid === uid ? mode >> 3 : mode;
  return (bits & needed) === needed;
}

function pathsInFile(path: string): readonly string[] {
  const stat = statOf(path);
  if (stat === undefined || !stat.isFile() || stat.size > longestText) return [];
  const found = readFileSync(path, 'utf8').match(/(?<=[\s"'=:]|\/\/)\/[\w@%+=:.-]+(?:\/[\w@%+=:.-]+)+/g) ?? [];
  return [...new Set(found)].filter((one) => statOf(one) !== undefined);
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined; // not there, or below something that is no folder
  }
}
