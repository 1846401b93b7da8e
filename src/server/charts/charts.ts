/**
 * @module
 * Chart archives that lie on this server: `server/static/charts`, as in k3s.
 * Knows: which files there may be read by everybody, and their checksums. Leaves to others: HTTP (api/), what is installed (addons/).
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../shared/errors.ts';

/** An archive, its signature, or the index of them all: one folder, no path and no hidden file. */
const servedName = /^(?:[A-Za-z0-9][A-Za-z0-9._+-]*\.tgz(?:\.prov)?|index\.yaml)$/;
/** What helm itself reads of a chart. */
const maxBytes = 20 * 1024 * 1024;

export interface ChartFile {
  readonly content: Buffer;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** @returns undefined for what is not there, is no chart by its name, no plain file, or too large */
export async function readChartFile(staticDir: string, name: string): Promise<ChartFile | undefined> {
  if (!servedName.test(name)) return undefined;
  let file;
  try {
    // A link would lead out of the folder, and opening a pipe would not end.
    file = await open(
      join(staticDir, 'charts', name),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile() || stat.size > maxBytes) return undefined;
    const content = await file.readFile();
    return { content, sha256: createHash('sha256').update(content).digest('hex') };
  } finally {
    await file.close();
  }
}
