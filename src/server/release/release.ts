/**
 * @module
 * What a box with nothing on it needs to join: the installer, this server's own executable and its parts; by the names a
 * release has, and by content.
 * Knows: which files there are, their checksums, the installer's text. Leaves to others: HTTP, ranges (api/).
 */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { isSea } from 'node:sea';
import { join } from 'node:path';
import { openBundle, readEmbedded } from '../../host/assets/assets.ts';
import { systemCode } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import { compressed } from './compressed.ts';
import type { Executable } from './compressed.ts';
import { ExecutableOfOtherVersionError } from './errors.ts';
import { installerFor } from './installer.ts';
import { partOf } from './served-file.ts';
import type { ReleaseFile } from './served-file.ts';
import type { TrustBundle } from '../pki/pki.ts';
import { namesIfReadable } from '../../shared/files/files.ts';

export type { ReleaseFile, ReleaseStream } from './served-file.ts';

export interface Release {
  /** As a release's folder is called: `v0.1.0`. */
  readonly version: string;
  /** `install.sh` for a box that reached this server as `host` (`10.0.0.1:9345`). */
  installer(host: string): string;
  /** All there is now. Checksums are computed when somebody first asks. */
  files(): Promise<readonly ReleaseFile[]>;
  /** `kagent-amd64.gz`, made when somebody first asks; undefined where it cannot be, and the executable travels as it is. */
  compressed(arch: string): Promise<ReleaseFile | undefined>;
  close(): Promise<void>;
}

export interface ReleaseOptions {
  /** `0.1.0` */
  readonly version: string;
  /** The file that runs; undefined in development, where it is Node. */
  readonly executable: string | undefined;
  /** Where the operator puts what is for other processors: `kagent-arm64`, `libatomic.so.1-arm64`. */
  readonly extraDir: string;
  /** The unpacked bundle. */
  readonly componentsDir: string;
  /** On a disk with room for a compressed executable. */
  readonly workDir: string;
  /** Whom the installer believes. */
  readonly trust: TrustBundle;
  readonly log: Log;
}

/** Node is linked with it, and small systems lack it. */
const library = 'libatomic.so.1';

/** Node's name → a release's. */
const archs: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

export function ownExecutable(): string | undefined {
  return isSea() ? process.execPath : undefined;
}

/** Keeps what it serves open: an upgrade puts another file in its place, and that one is not what runs here. */
export async function openRelease(options: ReleaseOptions): Promise<Release> {
  const { version, trust, executable, workDir, log } = options;
  const held: FileHandle[] = [];
  const hold = async (path: string) => {
    const file = await open(path);
    held.push(file);
    return file;
  };
  const own = executable === undefined ? undefined : { path: executable, file: await hold(executable) };
  const executables = once(() => findExecutables(own, options, hold));
  const files = once(async () => await describeFiles(await executables(), options, hold));
  const compress = async (arch: string, found: Executable): Promise<ReleaseFile | undefined> => {
    try {
      return await compressed(found, { name: `kagent-${arch}`, workDir, hold: (file) => held.push(file) });
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      log.warn('executable not compressed', { arch, error });
      return undefined; // and not tried again: whoever asks need not be known here
    }
  };
  const compressing = new Map<string, Promise<ReleaseFile | undefined>>();
  return {
    version: `v${version}`,
    installer: (host) => installerFor({ script: readEmbedded('install.sh').toString('utf8'), host, caPem: trust.pem }),
    files,
    async compressed(arch) {
      const found = (await executables()).get(arch);
      if (found === undefined) return undefined;
      const making = compressing.get(arch) ?? compress(arch, found);
      compressing.set(arch, making);
      return await making;
    },
    close: async () => void (await Promise.all(held.map((file) => file.close()))),
  };
}

/** One result for all who ask; after a failure whoever asks next tries again. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let known: Promise<T> | undefined;
  return () => {
    known ??= make().catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return known;
  };
}

type Hold = (path: string) => Promise<FileHandle>;
/** By a release's names of processors. */
type Executables = ReadonlyMap<string, Executable>;

async function findExecutables(
  own: { readonly path: string; readonly file: FileHandle } | undefined,
  options: ReleaseOptions,
  hold: Hold,
): Promise<Executables> {
  const found = new Map<string, Executable>();
  for (const [arch, name] of Object.entries(archs)) {
    const executable =
      arch !== process.arch
        ? await otherExecutable(arch, options, hold)
        : own && { file: own.file, bundleStart: (await openBundle(own.path).catch(() => undefined))?.start };
    if (executable !== undefined) found.set(name, executable);
  }
  return found;
}

/** An executable for another processor, if it is there and of this version. */
async function otherExecutable(
  arch: string,
  { extraDir, version, log }: ReleaseOptions,
  hold: Hold,
): Promise<Executable | undefined> {
  const path = join(extraDir, `kagent-${archs[arch]}`);
  try {
    const { manifest, start } = await openBundle(path, arch);
    if (manifest.kagent !== version) throw new ExecutableOfOtherVersionError(path, manifest.kagent, version);
    return { file: await hold(path), bundleStart: start };
  } catch (error) {
    if (systemCode((error as Error).cause) !== 'ENOENT') log.warn('executable not served', { path, error });
    return undefined;
  }
}

async function describeFiles(
  executables: Executables,
  { componentsDir, extraDir }: ReleaseOptions,
  hold: Hold,
): Promise<readonly ReleaseFile[]> {
  const files: ReleaseFile[] = [];
  for (const [arch, { file, bundleStart }] of executables) {
    files.push(await partOf(file, `kagent-${arch}`));
    if (bundleStart !== undefined) files.push(await partOf(file, `bundle-${arch}`, bundleStart));
  }
  const libraries: readonly (readonly [string, string | undefined])[] = [
    [join(componentsDir, 'aux', library), archs[process.arch]],
    ...Object.values(archs).map((arch) => [join(extraDir, `${library}-${arch}`), arch] as const),
  ];
  for (const [path, arch] of libraries) {
    const file = await hold(path).catch(() => undefined);
    if (file !== undefined) files.push(await partOf(file, `${library}-${arch}`));
  }
  for (const folder of [join(componentsDir, 'images'), join(componentsDir, 'images', 'later')]) {
    const archives = namesIfReadable(folder).filter((name) => name.endsWith('.tar'));
    for (const name of archives.toSorted()) files.push(await partOf(await hold(join(folder, name)), name));
  }
  return files;
}

export { joinLine } from './installer.ts';
