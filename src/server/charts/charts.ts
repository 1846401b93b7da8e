/**
 * @module
 * Chart archives that lie on this server: `server/static/charts`, as in k3s.
 * Knows: which files there may be read by everybody, and their checksums. Leaves to others: HTTP (api/), what is installed (addons/).
 */
import { constants, createReadStream } from 'node:fs';
import type { ReadStream } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../shared/errors.ts';
import { sha256OfFile } from '../../shared/files/files.ts';

/** An archive, its signature, or the index of them all: one folder, no path and no hidden file. */
const servedName = /^(?:[A-Za-z0-9][A-Za-z0-9._+-]*\.tgz(?:\.prov)?|index\.yaml)$/;
/** What helm itself reads of a chart. */
const maxBytes = 20 * 1024 * 1024;

export interface ChartFile {
  readonly sizeBytes: number;
  /** Another one once the file is replaced. */
  readonly tag: string;
  /** Both ends are included. */
  read(start: number, end: number): ReadStream;
}

/** @returns undefined for what is not there, is no chart by its name, no plain file, or too large */
export async function findChart(staticDir: string, name: string): Promise<ChartFile | undefined> {
  if (!servedName.test(name)) return undefined;
  const path = join(staticDir, 'charts', name);
  const found = await plainFile(path);
  if (found === undefined || found.size > maxBytes) return undefined;
  // Should it be replaced meanwhile: a link would lead out of the folder, and opening a pipe would not end.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  return {
    sizeBytes: found.size,
    tag: `${found.size}-${Math.round(found.mtimeMs)}`,
    read: (start, end) => createReadStream(path, { start, end, flags: flags as unknown as string }), // fs takes numbers, too
  };
}

/** Lower-case hex; undefined as of `findChart`. */
export async function checksumOfChart(staticDir: string, name: string): Promise<string | undefined> {
  const found = await findChart(staticDir, name);
  return found && (await sha256OfFile(join(staticDir, 'charts', name)));
}

async function plainFile(path: string) {
  try {
    const found = await lstat(path);
    return found.isFile() ? found : undefined;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}
