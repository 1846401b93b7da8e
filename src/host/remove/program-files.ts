import { lstatSync, readlinkSync, renameSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { readFileIfExists, isThere, namesIn } from '../../shared/files/files.ts';
import type { ServiceHost } from '../service/service.ts';

const library = 'libatomic-kagent.so.1';
/** As install.sh calls a command of the box's owner that was in a link's place. */
const beforeKagent = '.before-kagent';

/**
 * The executable, the links beside it that lead to it, its man pages, the scripts that call it, whatever the service's name was, and what an
 * installation that was broken off left. None at all where those scripts are not: then it is not the installer's.
 */
export function programFiles(executable: string): readonly string[] {
  const dir = dirname(executable);
  const paths = filesIn(dir);
  const scripts = paths.filter((path) => /\/kagent[^/]*-(killall|uninstall)\.sh$/.test(path) && callsUs(path));
  if (scripts.length === 0) return [];
  const links = paths.filter(
    (path) => lstatSync(path).isSymbolicLink() && resolve(dir, readlinkSync(path)) === executable,
  );
  const pages = filesIn(join(dir, '../share/man/man1')).filter((path) => /\/kagent(-[a-z-]+)?\.1$/.test(path));
  const unfinished = paths.filter((path) => /\/\.kagent[.-][0-9a-f]+$/.test(path));
  return [...links, ...unfinished, ...pages, executable, ...scripts]; // the scripts last: by them a second run knows the rest
}

/** Commands of the owner that made room for links of ours. Called when those have gone. */
export function putOwnersCommandsBack(executable: string): void {
  for (const path of filesIn(dirname(executable))) {
    const place = path.slice(0, -beforeKagent.length);
    if (path.endsWith(beforeKagent) && !isThere(place)) renameSync(path, place);
  }
}

/** The library that install.sh puts on a box whose loader has none, and the link that ldconfig makes to it. */
export function libraryFiles(host: Pick<ServiceHost, 'path'>): readonly string[] {
  const dir = host.path('/usr/local/lib');
  return filesIn(dir).filter(
    (path) =>
      path === join(dir, library) ||
      (lstatSync(path).isSymbolicLink() && resolve(dir, readlinkSync(path)) === join(dir, library)),
  );
}

function filesIn(dir: string): readonly string[] {
  return namesIn(dir).map((name) => join(dir, name));
}

function callsUs(path: string): boolean {
  return readFileIfExists(path)?.includes("Written by kagent's installer") === true;
}
