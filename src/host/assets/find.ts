import { bundlePath, openBundle } from './bundle.ts';
import type { Bundle } from './bundle.ts';
import { AssetsMissingError, AssetsUnverifiableError } from './errors.ts';
import { neededBundle } from './needed.ts';
import type { NeededBundle } from './needed.ts';

export interface FindOptions {
  /** The value of `--bundle`: a file or an address. */
  readonly asked: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where a fetched one goes. */
  readonly dataDir: string;
  readonly onFetch?: (needed: NeededBundle, url: string) => void;
  readonly signal: AbortSignal;
}

/**
 * The bundle that was asked for, by file or by address; without a wish the one in this executable; in a slim executable
 * the one of its release. One that is fetched is compared with what the executable was built for.
 * @throws {AssetsUnverifiableError} for an address, in an executable that was not built for any bundle; and as `openBundle`
 */
export async function findBundle(options: FindOptions, needed = neededBundle()): Promise<Bundle> {
  const path = bundlePath(options.asked, options.env);
  if (/^https?:\/\//.test(path)) return fetched(path, options, needed);
  try {
    return await openBundle(path);
  } catch (error) {
    const isSlim = error instanceof AssetsMissingError && path === process.execPath;
    if (!isSlim || needed?.url === undefined) throw error;
    return fetched(needed.url, options, needed);
  }
}

async function fetched(url: string, options: FindOptions, needed: NeededBundle | undefined): Promise<Bundle> {
  if (needed === undefined) throw new AssetsUnverifiableError(url);
  const { fetchBundle } = await import('./fetch.ts'); // with all of HTTP, which most commands do without
  return openBundle(await fetchBundle({ ...options, url, needed }));
}
