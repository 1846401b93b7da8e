/**
 * The build cache: a folder per result, named by the hash of what it was made from, in the user's cache folder, so that a
 * second clone has everything. An entry is whole or not there: it is built beside and renamed.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

const day = 24 * 3600 * 1000;
/** Unused for so long, an entry goes. */
const keptMs = 30 * day;
/** Half-made entries this old are of builds that were killed. */
const abandonedMs = day;

export interface Entry {
  readonly name: string;
  /** Hash of everything the result depends on. */
  readonly key: string;
  /** Fills an empty folder. */
  readonly build: (dir: string) => Promise<void>;
}

export interface Cache {
  readonly dir: string;
  has(wanted: Pick<Entry, 'name' | 'key'>): Promise<boolean>;
  /** The folder of an entry; makes it if it is not there. */
  entry(wanted: Entry): Promise<string>;
  /** How long `name` took here the last time. */
  durationMs(name: string): number | undefined;
  /** Removes what nobody used for a month. */
  prune(): Promise<void>;
}

export const defaultCacheDir = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'kagent', 'build');

/** @param key anything JSON can say; the same in, the same out */
export function hashOf(key: unknown): string {
  return createHash('sha256').update(JSON.stringify(key)).digest('hex');
}

export async function hashOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
}

/** Hash of all files below `dir`, by name and content; a link is the file it leads to. */
export async function hashOfFolder(dir: string): Promise<string> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name));
  const hash = createHash('sha256');
  for (const path of paths.toSorted()) {
    const content = await readFile(path);
    hash.update(`${path.slice(dir.length)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

export async function openCache(dir: string): Promise<Cache> {
  await mkdir(dir, { recursive: true });
  const durationsFile = join(dir, 'durations.json');
  const durations = parseDurations(await readFile(durationsFile, 'utf8').catch(() => '{}'));
  const pathOf = ({ name, key }: Pick<Entry, 'name' | 'key'>) => join(dir, `${name}-${key.slice(0, 32)}`);

  return {
    dir,
    has: async (wanted) => exists(pathOf(wanted)),
    durationMs: (name) => durations.get(name),
    async entry(wanted) {
      const { name, build } = wanted;
      const path = pathOf(wanted);
      if (await exists(path)) {
        await utimes(path, new Date(), new Date()); // used today
        return path;
      }
      const began = performance.now();
      const temporary = await mkdtemp(join(dir, `${name}.tmp-`));
      try {
        await build(temporary);
        await rename(temporary, path).catch(async (error: unknown) => {
          if (!(await exists(path))) throw error; // else a second build was faster, with the same result
        });
      } finally {
        await rm(temporary, { recursive: true, force: true });
      }
      durations.set(name, Math.round(performance.now() - began));
      await writeWhole(durationsFile, JSON.stringify(Object.fromEntries(durations), null, 2));
      return path;
    },
    async prune() {
      for (const name of await readdir(dir)) {
        const path = join(dir, name);
        const info = await stat(path).catch(() => undefined); // another build may prune too
        if (info?.isDirectory() !== true) continue;
        const limit = name.includes('.tmp-') ? abandonedMs : keptMs;
        if (Date.now() - info.mtimeMs > limit) await rm(path, { recursive: true, force: true });
      }
    },
  };
}

/** A damaged file only costs us the estimates. */
function parseDurations(text: string): Map<string, number> {
  try {
    const parsed: unknown = JSON.parse(text);
    const entries = typeof parsed === 'object' && parsed !== null ? Object.entries(parsed) : [];
    return new Map(entries.filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
  } catch {
    return new Map();
  }
}

export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.tmp-${process.pid}`;
  await writeFile(temporary, content);
  await rename(temporary, path);
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
