/**
 * @module
 * What a box with nothing on it needs to join: the installer, this server's own executable and its parts; by the names a
 * release has, and by content.
 * Knows: which files there are, their checksums, the installer's text. Leaves to others: HTTP, ranges (api/).
 */
import { createHash } from 'node:crypto';
import { createReadStream, open as openFile, read as readFile } from 'node:fs';
import type { ReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { isSea } from 'node:sea';
import { join } from 'node:path';
import { openBundle, readEmbedded } from '../../host/assets/assets.ts';
import type { Bundle } from '../../host/assets/assets.ts';
import { systemCode } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import { ExecutableOfOtherVersionError } from './errors.ts';
import { installerFor } from './installer.ts';
import type { TrustBundle } from '../pki/pki.ts';
import { namesIfReadable } from '../../shared/files/files.ts';

/** A file, or a part of one, as it is served. */
export interface ReleaseFile {
  /** `kagent-amd64`, `bundle-amd64`, `pause.tar` */
  readonly name: string;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Bytes `start` to `end`, both included. */
  read(start: number, end: number): ReadStream;
}

export interface Release {
  /** As a release's folder is called: `v0.1.0`. */
  readonly version: string;
  /** `install.sh` for a box that reached this server as `host` (`10.0.0.1:9345`). */
  installer(host: string): string;
  /** All there is now. Checksums are computed when somebody first asks. */
  files(): Promise<readonly ReleaseFile[]>;
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
  const { version, trust, executable } = options;
  const held: FileHandle[] = [];
  const hold = async (path: string) => {
    const file = await open(path);
    held.push(file);
    return file;
  };
  const own = executable === undefined ? undefined : { path: executable, file: await hold(executable) };
  let known: Promise<readonly ReleaseFile[]> | undefined;

  const collect = async (): Promise<readonly ReleaseFile[]> => {
    const files = own === undefined ? [] : await executableFiles(process.arch, own.file, await bundleIn(own.path));
    for (const arch of Object.keys(archs).filter((one) => one !== process.arch)) {
      files.push(...(await otherExecutable(arch, options, hold)));
    }
    const { componentsDir, extraDir } = options;
    const libraries: readonly (readonly [string, string])[] = [
      [join(componentsDir, 'aux', library), process.arch],
      ...Object.entries(archs).map(([arch, name]) => [join(extraDir, `${library}-${name}`), arch] as const),
    ];
    for (const [path, arch] of libraries) {
      const file = await hold(path).catch(() => undefined);
      if (file !== undefined) files.push(await partOf(file, `${library}-${archs[arch]}`));
    }
    const archives = namesIfReadable(join(componentsDir, 'images')).filter((name) => name.endsWith('.tar'));
    for (const name of archives.toSorted()) {
      files.push(await partOf(await hold(join(componentsDir, 'images', name)), name));
    }
    return files;
  };
  return {
    version: `v${version}`,
    installer: (host) => installerFor({ script: readEmbedded('install.sh').toString('utf8'), host, caPem: trust.pem }),
    files: () => {
      known ??= collect().catch((error: unknown) => {
        known = undefined; // whoever asks next tries again
        throw error;
      });
      return known;
    },
    close: async () => void (await Promise.all(held.map((file) => file.close()))),
  };
}

/** An executable for another processor, if it is there and of this version. */
async function otherExecutable(
  arch: string,
  { extraDir, version, log }: ReleaseOptions,
  hold: (path: string) => Promise<FileHandle>,
): Promise<readonly ReleaseFile[]> {
  const path = join(extraDir, `kagent-${archs[arch]}`);
  try {
    const bundle = await openBundle(path, arch);
    if (bundle.manifest.kagent !== version) {
      throw new ExecutableOfOtherVersionError(path, bundle.manifest.kagent, version);
    }
    return await executableFiles(arch, await hold(path), bundle);
  } catch (error) {
    if (systemCode((error as Error).cause) !== 'ENOENT') log.warn('executable not served', { path, error });
    return [];
  }
}

async function executableFiles(arch: string, file: FileHandle, bundle: Bundle | undefined): Promise<ReleaseFile[]> {
  const whole = await partOf(file, `kagent-${archs[arch]}`);
  return bundle === undefined ? [whole] : [whole, await partOf(file, `bundle-${archs[arch]}`, bundle.start)];
}

/** undefined: a slim executable. */
async function bundleIn(path: string): Promise<Bundle | undefined> {
  return await openBundle(path).catch(() => undefined);
}

/**
 * A stream that is destroyed closes its file, `autoClose` or not: the next download would read whatever else the process
 * has opened under that number.
 */
const keptOpen = { open: openFile, read: readFile, close: (_: number, done: (error: null) => void) => done(null) };

/** From `offset` to the file's end. */
async function partOf(file: FileHandle, name: string, offset = 0): Promise<ReleaseFile> {
  const { size } = await file.stat();
  const read = (start: number, end: number): ReadStream =>
    createReadStream('', { fd: file.fd, start: offset + start, end: offset + end, autoClose: false, fs: keptOpen });
  const hash = createHash('sha256');
  for await (const chunk of read(0, size - offset - 1)) hash.update(chunk as Buffer);
  return { name, sha256: hash.digest('hex'), sizeBytes: size - offset, read };
}

export { joinLine } from './installer.ts';
