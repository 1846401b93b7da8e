/**
 * Writes container images as OCI archives: one layer, one image, the same bytes for the same content.
 * Spec: OCI image specification v1.1, "image layout"; the annotation is containerd's.
 */
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { writeWhole } from './cache.ts';

export interface ImageFile {
  /** Absolute, as the container sees it. */
  readonly path: string;
  readonly content: Uint8Array;
  readonly mode: number;
}

export interface Image {
  /** The full name containerd shows: `kagent.sh/pause:0.1`. */
  readonly name: string;
  readonly arch: string;
  readonly files: readonly ImageFile[];
  /** Absolute path → mode. Folders that only hold files need no mention. */
  readonly folders?: Readonly<Record<string, number>>;
  /** Absolute path → target. */
  readonly links?: Readonly<Record<string, string>>;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly user?: string;
}

interface TarEntry {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink';
  readonly mode: number;
  readonly linkname?: string;
  readonly content?: Uint8Array;
}

const ociArch: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

export async function writeImage(path: string, image: Image): Promise<void> {
  const layer = await tar(layerEntries(image));
  const layerDigest = digestOf(layer);
  const platform = { architecture: ociArch[image.arch] ?? image.arch, os: 'linux' };
  const config = json({
    ...platform,
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      WorkingDir: '/',
      ...(image.user === undefined ? {} : { User: image.user }),
      ...(image.entrypoint === undefined ? {} : { Entrypoint: image.entrypoint }),
      ...(image.command === undefined ? {} : { Cmd: image.command }),
    },
    rootfs: { type: 'layers', diff_ids: [layerDigest] },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)], // the bundle compresses it
  });
  const tag = image.name.slice(image.name.lastIndexOf(':') + 1);
  const index = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        ...descriptor('application/vnd.oci.image.manifest.v1+json', manifest),
        platform,
        annotations: { 'io.containerd.image.name': image.name, 'org.opencontainers.image.ref.name': tag },
      },
    ],
  });
  const blobs = [config, layer, manifest].map((content) => file(`blobs/sha256/${digestOf(content).slice(7)}`, content));
  const archive = await tar([
    ...blobs.toSorted(byName),
    file('index.json', index),
    file('oci-layout', json({ imageLayoutVersion: '1.0.0' })),
  ]);
  await writeWhole(path, archive);
}

function layerEntries(image: Image): TarEntry[] {
  const folders = new Map(Object.entries(image.folders ?? {}));
  for (const path of [
    ...image.files.map((entry) => entry.path),
    ...Object.keys(image.links ?? {}),
    ...folders.keys(),
  ]) {
    for (let dir = parentOf(path); dir !== ''; dir = parentOf(dir)) if (!folders.has(dir)) folders.set(dir, 0o755);
  }
  const entries: TarEntry[] = [
    ...[...folders].map(([path, mode]): TarEntry => ({ name: `${path.slice(1)}/`, type: 'directory', mode })),
    ...image.files.map(({ path, content, mode }) => file(path.slice(1), content, mode)),
    ...Object.entries(image.links ?? {}).map(([path, linkname]): TarEntry => ({
      name: path.slice(1),
      type: 'symlink',
      linkname,
      mode: 0o777,
    })),
  ];
  return entries.toSorted(byName); // a folder before what is in it
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function byName(a: TarEntry, b: TarEntry): number {
  return a.name < b.name ? -1 : 1;
}

function file(name: string, content: Uint8Array, mode = 0o644): TarEntry {
  return { name, type: 'file', mode, content };
}

/** Owned by root and made in 1970, whoever builds it whenever. */
async function tar(entries: readonly TarEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content, ...header } of entries) {
    const fixed = { ...header, size: content?.length ?? 0, mtime: new Date(0), uid: 0, gid: 0, uname: '', gname: '' };
    archive.entry(fixed, content === undefined ? Buffer.alloc(0) : Buffer.from(content));
  }
  archive.finalize();
  return buffer(archive);
}

function descriptor(mediaType: string, content: Uint8Array) {
  return { mediaType, digest: digestOf(content), size: content.length };
}

function digestOf(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
