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
import { endUse, findBegun, forgetBegun, removeLeftovers, removeOldVersions } from './versions.ts';
import { switchTo, temporaryName, useUnfinished } from './versions.ts';

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
 * between. The first one is a leftover then, which the next process removes. A process that was killed while it made such a
 * folder is continued by the next one with `early`, unless the host was started again in between.
 * Does next to nothing when the finished folder is there already. Keeps the version before (`data/previous`), removes older
 * ones and what a killed run left.
 * @throws {AssetsNoSpaceError} @throws {AssetsCorruptError}
 */
export async function unpack(options: UnpackOptions): Promise<Unpacked> {
  const { bundle } = options;
  const data = join(options.dataDir, 'data');
  const finished = join(data, bundle.identity);
  makeFolder(data, 0o755);
  const isThere = await isComplete(finished, bundle.manifest, options.verify ?? false);
  const begun = isThere || options.early === undefined ? undefined : await findBegun(data, bundle.identity);
  await removeLeftovers(data, begun);
  if (!isThere) await unpackBeside(options, data, begun);
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
  const links = manifest.links.map(async ({ path, target }) => (await readlink(join(dir, path))) === target);
  const all = [wholeFiles(dir, manifest, verify).then(({ size }) => size === manifest.files.length), ...links];
  return (await Promise.all(all.map(falseIfUnreadable))).every(Boolean);
}

/** @param begun what an earlier process has made of it */
async function unpackBeside(options: UnpackOptions, data: string, begun: string | undefined): Promise<void> {
  const { bundle, early } = options;
  const { manifest, identity } = bundle;
  const finished = join(data, identity);
  const temporary = begun ?? temporaryName(finished);
  const there = begun === undefined ? new Set<BundledFile>() : await wholeFiles(begun, manifest);
  const missing = inOrder(manifest, early?.first ?? []).filter((file) => !there.has(file));
  const neededBytes = sizeOf(missing);
  await checkSpace(data, neededBytes);
  let isUsed = false;
  try {
    if (begun === undefined) await makeTree(temporary, manifest);
    isUsed = early !== undefined && (await useUnfinished(data, temporary));
    const onFile = (file: BundledFile) => void (isUsed && early?.onUsable(file));
    there.forEach(onFile);
    await extract(options, temporary, missing, onFile);
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
    // After a sync that failed what is on disk may be less than what was written.
    if (isUsed) await forgetBegun(temporary);
    else await removeIfPossible(temporary);
    throw withSpace(error, data, neededBytes);
  }
}

/**
 * Those that have their sizes, and, to `verify`, their checksums: a file has its name only when it is whole and verified.
 */
async function wholeFiles(dir: string, { files }: BundleManifest, verify = false): Promise<ReadonlySet<BundledFile>> {
  const isWhole = async ({ path, sizeBytes, sha256 }: BundledFile) =>
    (await stat(join(dir, path))).size === sizeBytes && (!verify || (await sha256OfFile(join(dir, path))) === sha256);
  const areWhole = await Promise.all(files.map((file) => falseIfUnreadable(isWhole(file))));
  return new Set(files.filter((_, index) => areWhole[index]));
}

/** Whatever is in its place: unpacking says what cannot be done about it. */
async function falseIfUnreadable(answer: Promise<boolean>): Promise<boolean> {
  try {
    return await answer;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false;
  }
}

async function extract(
  { bundle, onProgress, signal }: UnpackOptions,
  dir: string,
  files: readonly BundledFile[],
  onFile: (file: BundledFile) => void,
): Promise<void> {
  const totalBytes = sizeOf(files);
  let doneBytes = 0;
  const onBytes = (written: number) => {
    doneBytes += written;
    onProgress?.({ doneBytes, totalBytes });
  };
  await extractFiles({ bundle, dir, files, onBytes, onFile, signal });
}

function sizeOf(files: readonly BundledFile[]): number {
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
