/** The folder of one version: what is in it besides the content of its files. */
import { link, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode } from '../../shared/errors.ts';
import { makeFolder, syncFile, syncFolder } from '../../shared/files/files.ts';
import type { BundleManifest } from './format.ts';

/** Folders and links; a link leads to nothing until its file is there. */
export async function makeTree(dir: string, manifest: BundleManifest): Promise<void> {
  await rm(dir, { recursive: true, force: true }); // an earlier process of the same pid
  for (const folder of foldersOf(manifest)) makeFolder(join(dir, folder), 0o755);
  for (const { path, target } of manifest.links) await symlink(target, join(dir, path));
}

function foldersOf(manifest: BundleManifest): readonly string[] {
  const folders = new Set(['.']);
  for (const { path } of [...manifest.files, ...manifest.links]) {
    for (let dir = dirname(path); dir !== '.'; dir = dirname(dir)) folders.add(dir);
  }
  return [...folders].toSorted();
}

/** One file after the other: whatever else writes to the disk meanwhile waits for one of them at most. */
export async function syncTree(dir: string, manifest: BundleManifest): Promise<void> {
  for (const { path } of manifest.files) await syncFile(join(dir, path));
  for (const folder of foldersOf(manifest)) await syncFolder(join(dir, folder));
}

/** The same files under a second name, which takes no room. @returns the other folder, synced */
export async function linkedCopy(dir: string, manifest: BundleManifest): Promise<string> {
  const copy = `${dir}-whole`;
  await makeTree(copy, manifest);
  for (const { path } of manifest.files) await link(join(dir, path), join(copy, path));
  for (const folder of foldersOf(manifest)) await syncFolder(join(copy, folder));
  return copy;
}

/** Renames `temporary` to `finished`; one that is there and damaged, which is why we are here, makes way first. */
export async function putInPlace(temporary: string, finished: string): Promise<void> {
  const aside = `${temporary}-damaged`;
  try {
    await rename(finished, aside);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  try {
    await rename(temporary, finished);
  } catch (error) {
    if (systemCode(error) !== 'ENOTEMPTY' && systemCode(error) !== 'EEXIST') throw error;
    await rm(temporary, { recursive: true, force: true }); // another kagent was faster, with the same bytes
  }
  await syncFolder(dirname(finished));
  await rm(aside, { recursive: true, force: true }); // processes that run from it keep their files
}
