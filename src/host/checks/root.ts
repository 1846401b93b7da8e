import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

/** The box's files below `dir`: `/`, or in a test a folder that looks like one. */
export interface HostRoot {
  readonly dir: string;
  path(absolute: string): string;
  /** undefined when it is not there or may not be read */
  read(absolute: string): string | undefined;
  realPath(absolute: string): string | undefined;
}

export function hostRoot(dir = '/'): HostRoot {
  const path = (absolute: string) => join(dir, absolute);
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch {
      return undefined; // every caller treats "cannot be read" as "is not there"
    }
  };
  return {
    dir,
    path,
    read: (absolute) => attempt(() => readFileSync(path(absolute), 'utf8')),
    realPath: (absolute) => attempt(() => realpathSync(path(absolute))),
  };
}

/** A file of the host that is a number and nothing else. */
export function numberIn(root: HostRoot, path: string): number | undefined {
  const text = root.read(path)?.trim();
  return text === undefined || text === '' || Number.isNaN(Number(text)) ? undefined : Number(text);
}
