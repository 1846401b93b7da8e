import { lstat, readdir, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder, removeIfPossible, syncFolder, sha256OfFile } from '../../shared/files/files.ts';
import { systemCode } from '../../shared/errors.ts';
import type { Bundle } from './bundle.ts';
import { AssetsNoSpaceError } from './errors.ts';
import { extractFiles } from './extract.ts';
import type { BundleManifest } from './format.ts';
import { isAlive } from '../process/process.ts';
import { checkSpace } from './space.ts';

export interface UnpackOptions {
  readonly bundle: Bundle;
  readonly dataDir: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: UnpackProgress) => void;
  /** Read every file again and compare its checksum, instead of its size alone. */
  readonly verify?: boolean;
}

export interface UnpackProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** What is on disk, ready for use. */
export interface Unpacked {
  readonly dir: string;
  readonly identity: string;
  readonly manifest: BundleManifest;
  /** kube-apiserver, kubelet, containerd, runc, crictl… */
  readonly binDir: string;
  /** CNI plugins, as containerd's `bin_dir` wants them. */
  readonly cniDir: string;
  /** OCI archives to import. */
  readonly images: readonly { readonly name: string; readonly path: string }[];
}

/**
 * Makes `<dataDir>/data/<identity>` hold the bundle's files and `data/current` point to it.
 *
 *     nothing ─▶ <identity>.tmp-<pid> (extracted, verified, synced) ─rename─▶ <identity> ◀─ current
 *
 * Only a finished folder has the name without `.tmp-`. Does next to nothing when that is there already. Keeps the
 * version before (`data/previous`), removes older ones and what a killed run left.
 * @throws {AssetsNoSpaceError} @throws {AssetsCorruptError}
 */
export async function unpack(options: UnpackOptions): Promise<Unpacked> {
  const { bundle } = options;
  const data = join(options.dataDir, 'data');
  const finished = join(data, bundle.identity);
  makeFolder(data, 0o755);
  await removeLeftovers(data);
  if (!(await isComplete(finished, bundle.manifest, options.verify ?? false)))
    await unpackBeside(options, data, finished);
  await switchTo(data, bundle.identity);
  await removeOldVersions(data);
  return describe(finished, bundle);
}

function describe(dir: string, { identity, manifest }: Bundle): Unpacked {
  const images = manifest.files.flatMap(({ image, path }) =>
    image === undefined ? [] : [{ name: image, path: join(dir, path) }],
  );
  return { dir, identity, manifest, binDir: join(dir, 'bin'), cniDir: join(dir, 'cni'), images };
}

async function isComplete(dir: string, manifest: BundleManifest, verify: boolean): Promise<boolean> {
  const checks = manifest.files.map(async (file) => {
    const path = join(dir, file.path);
    const { size } = await stat(path);
    return size === file.sizeBytes && (!verify || (await sha256OfFile(path)) === file.sha256);
  });
  const links = manifest.links.map(async ({ path, target }) => (await readlink(join(dir, path))) === target);
  try {
    return (await Promise.all([...checks, ...links])).every(Boolean);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false; // whatever is in its place: unpacking says what cannot be done about it
  }
}

async function unpackBeside(options: UnpackOptions, data: string, finished: string): Promise<void> {
  const { bundle, onProgress, signal } = options;
  const totalBytes = bundle.manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  await checkSpace(data, totalBytes);
  const temporary = `${finished}.tmp-${process.pid}`;
  try {
    await makeFolders(temporary, bundle.manifest);
    let doneBytes = 0;
    const onBytes = (written: number) => {
      doneBytes += written;
      onProgress?.({ doneBytes, totalBytes });
    };
    await extractFiles({ bundle, dir: temporary, onBytes, signal });
    for (const { path, target } of bundle.manifest.links) await symlink(target, join(temporary, path));
    for (const dir of foldersOf(bundle.manifest)) await syncFolder(join(temporary, dir));
    await putInPlace(temporary, finished);
    await syncFolder(data);
  } catch (error) {
    await removeIfPossible(temporary);
    const code = systemCode(error);
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
      throw new AssetsNoSpaceError(data, totalBytes, undefined, { cause: error });
    }
    throw error;
  }
}

function foldersOf(manifest: BundleManifest): readonly string[] {
  const folders = new Set(['.']);
  for (const { path } of [...manifest.files, ...manifest.links]) {
    for (let dir = dirname(path); dir !== '.'; dir = dirname(dir)) folders.add(dir);
  }
  return [...folders].toSorted();
}

async function makeFolders(dir: string, manifest: BundleManifest): Promise<void> {
  await rm(dir, { recursive: true, force: true }); // an earlier process of the same pid
  for (const folder of foldersOf(manifest)) makeFolder(join(dir, folder), 0o755);
}

/** Renames `temporary` to `finished`; one that is there and damaged, which is why we are here, makes way first. */
async function putInPlace(temporary: string, finished: string): Promise<void> {
  const aside = `${finished}.tmp-${process.pid}-damaged`;
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
  await rm(aside, { recursive: true, force: true }); // processes that run from it keep their files
}

/** `current` points to one version or the other at every moment; `previous` to the one before. */
async function switchTo(data: string, identity: string): Promise<void> {
  const before = await linkTarget(join(data, 'current'));
  if (before === identity) return;
  if (before !== undefined) await replaceLink(data, 'previous', before);
  await replaceLink(data, 'current', identity);
  await syncFolder(data);
}

async function replaceLink(data: string, name: string, target: string): Promise<void> {
  const temporary = join(data, `${name}.tmp-${process.pid}`);
  await rm(temporary, { force: true });
  await symlink(target, temporary);
  await rename(temporary, join(data, name));
}

async function linkTarget(path: string): Promise<string | undefined> {
  const info = await lstat(path).catch(() => undefined);
  return info?.isSymbolicLink() === true ? readlink(path) : undefined;
}

async function removeOldVersions(data: string): Promise<void> {
  const kept = await Promise.all(['current', 'previous'].map((name) => linkTarget(join(data, name))));
  for (const name of await readdir(data)) {
    if (/^[0-9a-f]{64}$/.test(name) && !kept.includes(name)) await removeIfPossible(join(data, name));
  }
}

/** Half-unpacked folders of processes that are gone. */
async function removeLeftovers(data: string): Promise<void> {
  for (const name of await readdir(data)) {
    const pid = /\.tmp-(\d+)/.exec(name)?.[1];
    if (pid === undefined) continue;
    if (Number(pid) !== process.pid && isAlive(Number(pid))) continue; // ours begins after this
    await removeIfPossible(join(data, name));
  }
}
