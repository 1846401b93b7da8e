/**
 * Files that are part of the program: in development they lie below `src/`, in the one executable they are its assets.
 */
import { readFileSync } from 'node:fs';
import { getAsset, isSea } from 'node:sea';

/** How the build names them in the executable. */
export const fileAsset = (path: string) => `file:${path}`;
export const workerAsset = (name: string) => `worker:${name}`;
export const addonAsset = 'addon:better_sqlite3.node';
export const neededAsset = 'needed-bundle.json';

/**
 * The content of a file below `src/`. The build embeds every one that is not TypeScript.
 * @param path below `src/`: `server/dashboard/web/index.html`; or `install.sh`
 */
export function readEmbedded(path: string): Buffer {
  if (isSea()) return Buffer.from(getAsset(fileAsset(path)));
  return readFileSync(new URL(path === installer ? `../../../scripts/${path}` : `../../${path}`, import.meta.url));
}

/** Not below `src/`: it is the first file of kagent that people meet. */
export const installer = 'install.sh';
