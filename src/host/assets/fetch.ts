import { constants } from 'node:fs';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeFolder, removeIfPossible, sha256OfFile } from '../../shared/files/files.ts';
import { messageOf, systemCode } from '../../shared/errors.ts';
import { download } from './download.ts';
import { AssetsNoSpaceError, AssetsUnreachableError, AssetsWrongBundleError } from './errors.ts';
import type { NeededBundle } from './needed.ts';
import { checkSpace } from './space.ts';

/** Each continues where the one before broke off. */
const attempts = 3;
const betweenMs = 1000;

export interface FetchOptions {
  readonly url: string;
  readonly needed: NeededBundle;
  readonly dataDir: string;
  /** Called when there is something to fetch. */
  readonly onFetch?: ((needed: NeededBundle, url: string) => void) | undefined;
  readonly signal: AbortSignal;
}

/**
 * Makes `<dataDir>/data/bundle-<sha256>` hold the bundle.
 *
 *     nothing ─▶ bundle-<sha256>.part ─(all there, sha256 compared)─rename─▶ bundle-<sha256>
 *
 * Bundles of other versions go: what was unpacked from them stays.
 * @returns its path
 * @throws {AssetsUnreachableError} @throws {AssetsWrongBundleError} @throws {AssetsNoSpaceError}
 */
export async function fetchBundle(options: FetchOptions): Promise<string> {
  const { url, needed, dataDir, onFetch } = options;
  const data = join(dataDir, 'data');
  const finished = join(data, `bundle-${needed.sha256}`);
  if ((await sizeOf(finished)) === needed.sizeBytes) return finished;
  makeFolder(data, 0o755);
  const part = `${finished}.part`;
  await checkSpace(data, needed.sizeBytes - ((await sizeOf(part)) ?? 0));
  onFetch?.(needed, url);
  await downloadPart(part, options);
  try {
    const actual = await sha256OfFile(part);
    if (actual !== needed.sha256) {
      await rm(part, { force: true }); // the next attempt begins anew
      throw new AssetsWrongBundleError(url, actual, needed.sha256);
    }
    await rename(part, finished);
  } catch (error) {
    const wasFaster = systemCode(error) === 'ENOENT' && (await sizeOf(finished)) === needed.sizeBytes;
    if (!wasFaster) throw error; // else another kagent had the same bytes before
  }
  await removeOthers(data, finished);
  return finished;
}

async function removeOthers(data: string, finished: string): Promise<void> {
  for (const name of await readdir(data)) {
    if (!name.startsWith('bundle-') || finished.endsWith(name)) continue;
    await removeIfPossible(join(data, name));
  }
}

async function downloadPart(part: string, { url, needed, signal }: FetchOptions): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const file = await open(part, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      await download({ url, file, sizeBytes: needed.sizeBytes, signal });
      return await file.sync();
    } catch (error) {
      signal.throwIfAborted();
      const code = systemCode(error);
      if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
        throw new AssetsNoSpaceError(part, needed.sizeBytes, undefined, { cause: error });
      }
      if (attempt === attempts) throw new AssetsUnreachableError(url, messageOf(error), { cause: error });
    } finally {
      await file.close();
    }
    await delay(betweenMs, undefined, { signal });
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size;
}
