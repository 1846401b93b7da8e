/**
 * Files out of Debian packages, of any architecture, without installing them: the machine's own packages and lists stay
 * as they are.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './run.ts';
import type { Target } from './target.ts';

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
}

/** Unpacks a package to `dir/package`. */
export async function unpackDebian({ name, version }: DebianPackage, target: Target, dir: string): Promise<void> {
  const lists = join(dir, 'apt');
  try {
    const options = ['-o', 'APT::Sandbox::User=root', ...(target.isForeign ? await foreignLists(target, lists) : [])];
    await run('apt-get', [...options, 'download', `${name}:${target.name}=${version}`], { cwd: dir });
  } catch (cause) {
    throw new Error(
      `${name} ${version} for ${target.name} is not to be had: try "apt-get update"; the lists may be older than what the mirror has`,
      { cause },
    );
  } finally {
    await rm(lists, { recursive: true, force: true });
  }
  await run('sh', ['-c', 'dpkg-deb -x ./*.deb package && rm ./*.deb'], { cwd: dir });
}

/** Another architecture's lists, in a folder of their own. @returns the options with which apt-get reads them */
async function foreignLists({ name }: Target, folder: string): Promise<string[]> {
  const [lists, cache] = [join(folder, 'lists'), join(folder, 'cache')];
  await mkdir(join(lists, 'partial'), { recursive: true });
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
  const settings = {
    'APT::Architecture': name,
    'APT::Architectures': name,
    'Dir::State::Lists': lists,
    'Dir::State::status': '/dev/null',
    'Dir::Cache': cache,
  };
  const options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  await run('apt-get', ['-o', 'APT::Sandbox::User=root', ...options, 'update']);
  return options;
}

/** The newest version that this distribution has of a package. */
export async function candidateOf(name: string): Promise<string> {
  const text = await run('apt-cache', ['show', '--no-all-versions', name]).catch((cause: unknown) => {
    throw new Error(`the distribution's lists have no ${name}: try "apt-get update"`, { cause });
  });
  return /^Version: (\S+)/m.exec(text)?.[1] ?? '';
}
