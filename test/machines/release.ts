/** The drive that a machine has its releases on: what a person carries to a box without a network. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { hashOf, hashOfFile, hashOfFolder } from '../../scripts/build/cache.ts';
import { fileSystem } from './image.ts';
import type { Arch } from './image.ts';

const run = promisify(execFile);
const repository = resolve(import.meta.dirname, '../..');

/** What is installed, and what it is upgraded to: the same sources under two versions. */
export const versions = { old: '0.1.0', new: '0.1.1' } as const;

const dirOf = (arch: Arch) => join(repository, 'dist/machines', arch);

/** The released executable of the first version. */
export function releasedExecutable(arch: Arch): string {
  return join(dirOf(arch), 'release', `v${versions.old}`, `kagent-${arch}`);
}

/** Of an earlier run, whose machines have it mounted. */
export function keptDrive(arch: Arch): string {
  return join(dirOf(arch), 'release.ext4');
}

/** Everything in a release, but for the date of its commit. */
async function sourcesHash(): Promise<string> {
  const folders = ['src', 'components', 'scripts'].map((name) => hashOfFolder(join(repository, name)));
  const files = ['package.json', 'package-lock.json', 'tsup.config.ts'].map((name) =>
    hashOfFile(join(repository, name)),
  );
  return hashOf(await Promise.all([...folders, ...files]));
}

/**
 * Lays out both versions with scripts/release.sh, unless an earlier run did so from the same sources. On the drive is what
 * install.sh takes from a folder.
 * @returns the path of the file system; in a machine it is mounted at /mnt/release: `install.sh`, `v0.1.0/`, `v0.1.1/`
 */
export async function releaseDrive(arch: Arch): Promise<string> {
  const out = dirOf(arch);
  const [laidOut, folder, drive] = [join(out, 'release'), join(out, 'drive'), keptDrive(arch)];
  const madeFrom = join(out, 'release.made-from');
  const sources = await sourcesHash();
  if (existsSync(drive) && existsSync(madeFrom) && (await readFile(madeFrom, 'utf8')) === sources) return drive;
  await rm(madeFrom, { force: true });
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const version of Object.values(versions)) {
    const flags = ['--arch', arch, '--version', version, laidOut];
    // Of an earlier run's sources: a release is never changed, so it has to go.
    await rm(join(laidOut, `v${version}`), { recursive: true, force: true });
    await run(join(repository, 'scripts/release.sh'), flags, { maxBuffer: 64 * 1024 * 1024 });
    const form = version === versions.new ? '.gz' : '';
    for (const name of [`kagent-${arch}${form}`, `libatomic.so.1-${arch}`, `sha256sum-${arch}.txt`]) {
      const place = join(folder, `v${version}`, name);
      await mkdir(dirname(place), { recursive: true });
      await copyFile(join(laidOut, `v${version}`, name), place);
    }
  }
  await copyFile(join(repository, 'scripts/install.sh'), join(folder, 'install.sh'));
  await fileSystem(folder, drive, '1G', 'release');
  await rm(folder, { recursive: true });
  await writeFile(madeFrom, sources);
  return drive;
}
