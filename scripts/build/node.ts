/**
 * The Node that becomes the executable: npm's package of it, installed for this machine, fetched for another.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hashOf } from './cache.ts';
import type { Cache } from './cache.ts';
import { run } from './run.ts';
import type { Target } from './target.ts';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');

/** @returns the path of the program */
export async function nodeFor({ arch, isForeign }: Target, cache: Cache): Promise<string> {
  const name = `node-linux-${arch}`;
  if (!isForeign) return join(root, 'node_modules', name, 'bin', 'node');
  const locked = await lockedPackage(name);
  const build = (dir: string) => fetchPackage(name, locked, dir);
  const dir = await cache.entry({ name, key: hashOf([name, locked.integrity]), build });
  return join(dir, 'package', 'bin', 'node');
}

interface Locked {
  readonly version: string;
  readonly integrity: string;
}

async function lockedPackage(name: string): Promise<Locked> {
  const text = await readFile(join(root, 'package-lock.json'), 'utf8');
  const { packages } = JSON.parse(text) as { packages: Record<string, Partial<Locked> | undefined> };
  const { version, integrity } = packages[`node_modules/${name}`] ?? {};
  if (version === undefined || integrity === undefined) {
    throw new Error(`package-lock.json does not pin ${name}: npm install --package-lock-only --save-optional ${name}`);
  }
  if (`v${version}` !== process.version) {
    throw new Error(
      `package-lock.json pins ${name} ${version}, this build runs on Node ${process.version}: pin one version`,
    );
  }
  return { version, integrity };
}

/** npm installs no package for another processor; it only downloads its archive, which is compared with the lock file. */
async function fetchPackage(name: string, { version, integrity }: Locked, dir: string): Promise<void> {
  const PATH = (await run('sh', [join(here, 'node.sh'), '--npm'])).trim(); // a distribution's npm wants the distribution's Node
  await run('npm', ['pack', '--silent', `${name}@${version}`], { cwd: dir, env: { PATH } });
  const archive = join(dir, `${name}-${version}.tgz`);
  const sum = `sha512-${createHash('sha512')
    .update(await readFile(archive))
    .digest('base64')}`;
  if (sum !== integrity) throw new Error(`${name}@${version} is ${sum}, and package-lock.json wants ${integrity}`);
  await mkdir(join(dir, 'package'));
  await run('tar', ['-xzf', archive, '-C', dir, 'package/bin/node', 'package/LICENSE']);
  await rm(archive);
}
