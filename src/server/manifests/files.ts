import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../../shared/errors.ts';
import { ManifestUnreadableError } from './errors.ts';

/** A file with manifests, or what should be one. */
export interface FoundFile {
  /** Below the folder: `shop/web.yaml`. */
  readonly name: string;
  readonly path: string;
  /** Another one after each change. */
  readonly stamp: string;
  /** When it changed last, also where its own time was set back, as copies do; milliseconds since 1970. */
  readonly changedAtMs: number;
  readonly problem?: ManifestUnreadableError;
}

export interface Found {
  /** By name, without those that have a `.skip` file beside them. */
  readonly files: readonly FoundFile[];
  readonly skipped: ReadonlySet<string>;
  /** Every folder that was looked into. */
  readonly dirs: readonly string[];
}

/** Looks into subfolders too, not into hidden ones, and not through links to folders. @throws if `dir` is not there */
export function findManifests(dir: string): Found {
  const names: string[] = [];
  const dirs: string[] = [];
  const closed: FoundFile[] = [];
  const look = (below: string) => {
    const entries = readdirSync(join(dir, below), { withFileTypes: true });
    dirs.push(join(dir, below));
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const name = join(below, entry.name);
      if (!entry.isDirectory()) names.push(name);
      // Gone since the look above: it is as if it had never been.
      else closed.push(...attempt(dir, name, () => look(name)).filter(({ path }) => existsSync(path)));
    }
  };
  look('');
  const skipped = new Set(names.filter((name) => name.endsWith('.skip')).map((name) => name.slice(0, -'.skip'.length)));
  const meant = names.filter((name) => /\.(ya?ml|json)$/.test(name) && !skipped.has(name));
  return { files: [...closed, ...meant.toSorted().flatMap((name) => found(dir, name))], skipped, dirs };
}

function found(dir: string, name: string): readonly FoundFile[] {
  const path = join(dir, name);
  const files: FoundFile[] = [];
  const problems = attempt(dir, name, () => {
    const stat = statSync(path);
    const stamp = `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`;
    if (stat.isFile()) files.push({ name, path, stamp, changedAtMs: stat.ctimeMs });
  });
  return [...files, ...problems];
}

/** @returns what is at `name`, as something that cannot be read, if `look` fails at it */
function attempt(dir: string, name: string, look: () => void): readonly FoundFile[] {
  const path = join(dir, name);
  try {
    look();
    return [];
  } catch (cause) {
    const reason = systemCode(cause) === 'ENOENT' ? 'it links to nothing' : String(systemCode(cause));
    const problem = new ManifestUnreadableError(reason, { cause });
    return [{ name, path, stamp: '', changedAtMs: 0, problem }];
  }
}
