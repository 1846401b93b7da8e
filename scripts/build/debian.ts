/**
 * Files out of Debian packages, of any architecture, without installing them: the machine's own packages and lists stay
 * as they are.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
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
    const options = target.isForeign ? await ownLists(target, lists) : [];
    await run('apt-get', [...asRoot, ...options, 'download', `${name}:${target.name}=${version}`], { cwd: dir });
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

/**
 * Unpacks to `dir/package` what another Debian than this machine's has under that name.
 * @param suite `trixie` @returns its version
 */
export async function unpackFromSuite(name: string, suite: string, target: Target, dir: string): Promise<string> {
  const lists = join(dir, 'apt');
  const cwd = dir;
  try {
    await mkdir(lists, { recursive: true });
    await writeFile(join(lists, 'sources.list'), `deb ${await mirror()} ${suite} main\n`);
    const options = await ownLists(target, lists, join(lists, 'sources.list'));
    await run('apt-get', [...asRoot, ...options, 'download', `${name}:${target.name}`], { cwd });
  } catch (cause) {
    throw new Error(`${name} of Debian ${suite} for ${target.name} is not to be had from this machine's mirror`, {
      cause,
    });
  } finally {
    await rm(lists, { recursive: true, force: true });
  }
  const version = await run('sh', ['-c', 'dpkg-deb -f ./*.deb Version && dpkg-deb -x ./*.deb package && rm ./*.deb'], {
    cwd,
  });
  return version.trim();
}

/** Where this machine's own apt has Debian from. */
export async function mirror(): Promise<string> {
  const targets = await run('apt-get', ['indextargets', '--format', '$(ORIGIN) $(SITE)', 'Created-By: Packages']);
  const site = /^Debian (\S+)$/m.exec(targets)?.[1];
  if (site === undefined)
    throw new Error("this machine's apt knows no Debian mirror: apt-get update, or other sources");
  return site;
}

const asRoot = ['-o', 'APT::Sandbox::User=root'];

/**
 * Lists in a folder of their own: of another architecture, or from other sources than this machine's.
 * @returns the options with which apt-get reads them
 */
async function ownLists({ name }: Target, folder: string, sources?: string): Promise<string[]> {
  const [lists, cache] = [join(folder, 'lists'), join(folder, 'cache')];
  await mkdir(join(lists, 'partial'), { recursive: true });
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
  const settings = {
    'APT::Architecture': name,
    'APT::Architectures': name,
    'Dir::State::Lists': lists,
    'Dir::State::status': '/dev/null',
    'Dir::Cache': cache,
    'Acquire::Languages': 'none',
    ...(sources !== undefined && { 'Dir::Etc::SourceList': sources, 'Dir::Etc::SourceParts': '/dev/null' }),
  };
  const options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  await run('apt-get', [...asRoot, ...options, 'update']);
  return options;
}

/** The newest version that this distribution has of a package. */
export async function candidateOf(name: string): Promise<string> {
  const text = await run('apt-cache', ['show', '--no-all-versions', name]).catch((cause: unknown) => {
    throw new Error(`the distribution's lists have no ${name}: try "apt-get update"`, { cause });
  });
  return /^Version: (\S+)/m.exec(text)?.[1] ?? '';
}
