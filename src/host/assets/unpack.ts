import { readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, removeIfPossible, sha256OfFile } from '../../shared/files/files.ts';
import { systemCode } from '../../shared/errors.ts';
import type { Bundle } from './bundle.ts';
import { AssetsNoSpaceError } from './errors.ts';
import { extractFiles } from './extract.ts';
import type { BundledFile, BundleManifest } from './format.ts';
import { checkSpace } from './space.ts';
import { linkedCopy, makeTree, putInPlace, syncTree } from './tree.ts';
import { endUse, removeLeftovers, removeOldVersions, switchTo, temporaryName, useUnfinished } from './versions.ts';

export interface UnpackOptions {
  readonly bundle: Bundle;
  readonly dataDir: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: UnpackProgress) => void;
  /** Read every file again and compare its checksum, instead of its size alone. */
  readonly verify?: boolean;
  readonly early?: EarlyUse;
}

/** For a caller that begins with what is there while the rest is unpacked. */
export interface EarlyUse {
  /** Whose files come first, in this order: components, by the names that bundle.json has. */
  readonly first: readonly string[];
  /**
   * From now on this file, with its links, is below `data/current`: whole and verified, not yet synced. Not called where a finished
   * version is in use, by pods of it as well, until the next one is finished.
   */
  readonly onUsable: (file: BundledFile) => void;
  /** Waited for with all files usable, before they are synced: until then the disk is left to those that use them. */
  readonly settled: Promise<unknown>;
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
 * Only a finished folder has the name without `.tmp-`. With `early`, and no version in use, `current` leads to the folder that is
 * being made from its beginning; what gets the name in the end is a second folder of the same files, so that no path fails in
 * between. The first one is a leftover then, which the next process removes, as it does after a crash.
 * Does next to nothing when the finished folder is there already. Keeps the version before (`data/previous`), removes older
 * ones and what a killed run left.
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
  const { bundle, early } = options;
  const { manifest } = bundle;
  const neededBytes = sizeOf(manifest);
  await checkSpace(data, neededBytes);
  const temporary = temporaryName(finished);
  let isUsed = false;
  try {
    await makeTree(temporary, manifest);
    isUsed = early !== undefined && (await useUnfinished(data, temporary));
    await extract(options, temporary, (file) => void (isUsed && early?.onUsable(file)));
  } catch (error) {
    if (isUsed) await endUse(data);
    await removeIfPossible(temporary);
    throw withSpace(error, data, neededBytes);
  }
  try {
    if (isUsed) await early?.settled;
    await syncTree(temporary, manifest);
    await putInPlace(isUsed ? await linkedCopy(temporary, manifest) : temporary, finished);
  } catch (error) {
    if (!isUsed) await removeIfPossible(temporary);
    throw withSpace(error, data, neededBytes);
  }
}

async function extract(
  { bundle, early, onProgress, signal }: UnpackOptions,
  dir: string,
  onFile: (file: BundledFile) => void,
): Promise<void> {
  const totalBytes = sizeOf(bundle.manifest);
  let doneBytes = 0;
  const onBytes = (written: number) => {
    doneBytes += written;
    onProgress?.({ doneBytes, totalBytes });
  };
  await extractFiles({ bundle, dir, files: inOrder(bundle.manifest, early?.first ?? []), onBytes, onFile, signal });
}

function sizeOf({ files }: BundleManifest): number {
  return files.reduce((sum, file) => sum + file.sizeBytes, 0);
}

function withSpace(error: unknown, data: string, neededBytes: number): unknown {
  const code = systemCode(error);
  if (code !== 'ENOSPC' && code !== 'EDQUOT' && code !== 'EFBIG') return error;
  return new AssetsNoSpaceError(data, neededBytes, undefined, { cause: error });
}

function inOrder({ files }: BundleManifest, first: readonly string[]): readonly BundledFile[] {
  const rank = ({ component }: BundledFile) => (first.includes(component) ? first.indexOf(component) : first.length);
  return files.toSorted((a, b) => rank(a) - rank(b));
}
