import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Puts packages of this machine's distribution into a folder, with what they need and the machine has not; installs nothing. */
export async function fetchPackages(dir: string, names: readonly string[]): Promise<void> {
  await mkdir(join(dir, 'partial'), { recursive: true });
  const flags = ['-qq', '--download-only', '--reinstall', '--no-install-recommends', '--yes'];
  const options = [`Dir::Cache::archives=${dir}`, 'APT::Sandbox::User=root'].flatMap((option) => ['-o', option]);
  const fetch = () => run('apt-get', [...flags, ...options, 'install', ...names]);
  // The lists may be old, or not there.
  await fetch().catch(async () => {
    await run('apt-get', ['-qq', 'update']);
    await fetch();
  });
}
