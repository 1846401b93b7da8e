import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { networkName } from './cni.ts';

/** Where libcni notes what it has made for each pod, of every network on the box. */
const resultsDir = '/var/lib/cni/results';

/** Our pods' notes. */
function ourResults(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
      .filter((name) => name.startsWith(`${networkName}-`))
      .map((name) => join(dir, name));
  } catch {
    return []; // no pod was ever started
  }
}

/** The links that the bandwidth plugin made for our pods: they hang on nothing, and end with no pod. */
export function bandwidthLinks(dir = resultsDir): readonly string[] {
  return ourResults(dir).flatMap((path) => {
    const names = readFileSync(path, 'utf8').match(/"bwp[0-9a-f]{12}"/g) ?? [];
    return [...new Set(names.map((name) => name.slice(1, -1)))];
  });
}

/** The folder may hold those of other programs too. */
export function removeResults(dir = resultsDir): void {
  for (const path of ourResults(dir)) rmSync(path, { force: true });
}
