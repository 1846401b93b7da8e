/** A Linux of Debian's sources that runs as a process, with what kagent needs built in: there are no modules. */
import { readdir, readFile, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { hashOf } from '../../scripts/build/cache.ts';
import type { Cache } from '../../scripts/build/cache.ts';
import { unpackFromSuite } from '../../scripts/build/debian.ts';
import { run } from '../../scripts/build/run.ts';
import { targetOf } from '../../scripts/build/target.ts';

const configuration = resolve(import.meta.dirname, 'user-mode.config');
const patch = resolve(import.meta.dirname, 'user-mode.patch');

/** Each Debian has its own. */
const sources = { bookworm: 'linux-source-6.1', trixie: 'linux-source-6.12' } as const;

/** Takes about ten minutes the first time. @returns the executable */
export async function userModeKernel(suite: keyof typeof sources, cache: Cache): Promise<string> {
  const source = sources[suite];
  const dir = await cache.entry({
    name: `user-mode-${source}`,
    key: hashOf({ source, texts: await Promise.all([configuration, patch].map((path) => readFile(path, 'utf8'))) }),
    build: (dir_) => build(source, suite, dir_),
  });
  return join(dir, 'linux');
}

async function build(source: string, suite: string, dir: string): Promise<void> {
  await unpackFromSuite(source, suite, targetOf('amd64'), dir);
  const packed = join(dir, 'package/usr/src', `${source}.tar.xz`);
  await run('tar', ['-xf', packed, '-C', dir]);
  const tree = join(dir, source);
  const make = (...goals: readonly string[]) =>
    run('make', ['-s', 'ARCH=um', 'SUBARCH=x86_64', ...goals], { cwd: tree });
  await run('patch', ['--quiet', '-p1', '-i', patch], { cwd: tree });
  await make('defconfig');
  await run('scripts/kconfig/merge_config.sh', ['-m', '.config', configuration], { cwd: tree });
  await make('olddefconfig');
  await make(`-j${availableParallelism()}`, 'linux');
  await run('strip', ['-o', join(dir, 'linux'), join(tree, 'linux')]);
  for (const name of await readdir(dir)) {
    if (name !== 'linux') await rm(join(dir, name), { recursive: true });
  }
}
