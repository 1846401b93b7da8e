/**
 * The one Go that builds kagent, whatever Go the machine has: scripts/build/go.sh says which, and fetches it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const script = join(dirname(fileURLToPath(import.meta.url)), 'go.sh');
/** go.sh found no Go that could fetch it. */
const noGo = 3;

let found: Promise<string | undefined> | undefined;

/**
 * From here on it comes first on the PATH of this process and of what it starts, and the user's own settings that change what
 * Go builds do not count.
 * @returns the folder of its programs; undefined where no Go is there that could fetch it
 * @throws if it could not be fetched, which go.sh has explained
 */
export async function pinnedGo(): Promise<string | undefined> {
  found ??= findGo();
  const folder = await found;
  if (folder !== undefined) useGo(folder, process.env);
  return folder;
}

async function findGo(): Promise<string | undefined> {
  const child = spawn('sh', [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (code === 0) return output.trim();
  if (code === noGo) return undefined;
  throw new Error('there is no Go to build with: see above');
}

export function useGo(folder: string, env: NodeJS.ProcessEnv): void {
  const path = (env['PATH'] ?? '').split(delimiter).filter((dir) => dir !== folder);
  env['PATH'] = [folder, ...path].join(delimiter);
  delete env['GOROOT'];
  env['HOME'] ??= homedir(); // its caches are there
  // Never empty: for Go that is as good as not set, and what 'go env -w' has kept would count.
  Object.assign(env, { GOTOOLCHAIN: 'local', GOWORK: 'off', GO111MODULE: 'on', GOFLAGS: '-mod=readonly' });
}
