import { createReadStream } from 'node:fs';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract } from 'tar-stream';
import * as z from 'zod';

/** OCI image layout: `index.json`; containerd's own annotation comes before the specification's. */
const OciIndex = z.object({
  manifests: z.array(z.object({ annotations: z.record(z.string(), z.string()).optional() })),
});
/** What `docker save` writes: `manifest.json`. */
const DockerManifest = z.array(z.object({ RepoTags: z.array(z.string()).nullish() }));

/** The names under which containerd has an archive's images once it is imported. */
export async function archiveImageNames(path: string): Promise<readonly string[]> {
  const files = await readIndexFiles(path);
  if (files.oci !== undefined) {
    return OciIndex.parse(JSON.parse(files.oci)).manifests.flatMap(({ annotations = {} }) => {
      const name = annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name'];
      return name === undefined || !name.includes('/') ? [] : [name]; // a bare tag gets a name of the day
    });
  }
  const tags = DockerManifest.parse(JSON.parse(files.docker ?? '[]')).flatMap(({ RepoTags }) => RepoTags ?? []);
  return tags.map(withRegistry);
}

async function readIndexFiles(path: string): Promise<{ oci?: string; docker?: string }> {
  const found: { oci?: string; docker?: string } = {};
  const entries = extract();
  const reading = (async () => {
    for await (const entry of entries) {
      if (entry.header.name === 'index.json') found.oci = await text(entry);
      else if (entry.header.name === 'manifest.json') found.docker = await text(entry);
      else entry.resume();
    }
  })();
  const file = createReadStream(path, { highWaterMark: 1 << 20 });
  if (/\.(tgz|gz)$/.test(path)) await Promise.all([pipeline(file, createGunzip(), entries), reading]);
  else if (/\.zstd?$/.test(path)) await Promise.all([pipeline(file, createZstdDecompress(), entries), reading]);
  else await Promise.all([pipeline(file, entries), reading]);
  return found;
}

/** `busybox:1` is `docker.io/library/busybox:1` in containerd. */
function withRegistry(name: string): string {
  const [first = '', ...rest] = name.split('/');
  if (rest.length === 0) return `docker.io/library/${name}`;
  return /[.:]|^localhost$/.test(first) ? name : `docker.io/${name}`;
}
