import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { expect, test } from 'vitest';
import { archiveImageNames } from '../../../../src/agent/runtime/archive.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

async function archive(name: string, files: Readonly<Record<string, unknown>>, compress = (tar: Buffer) => tar) {
  const tar = pack();
  tar.entry({ name: 'blobs/sha256/aa' }, 'x'.repeat(100_000));
  for (const [file, content] of Object.entries(files)) tar.entry({ name: file }, JSON.stringify(content));
  tar.finalize();
  const path = join(temporaryDir(), name);
  writeFileSync(path, compress(await buffer(tar)));
  return path;
}

const oci = {
  'index.json': {
    schemaVersion: 2,
    manifests: [
      { annotations: { 'io.containerd.image.name': 'kagent.sh/pause:1', 'org.opencontainers.image.ref.name': '1' } },
      { annotations: { 'org.opencontainers.image.ref.name': 'kagent.sh/busybox:2' } },
      { annotations: { 'org.opencontainers.image.ref.name': 'latest' } },
      {},
    ],
  },
};

test('an OCI archive names its images by annotation; a bare tag is no name to look for', async () => {
  expect(await archiveImageNames(await archive('a.tar', oci))).toEqual(['kagent.sh/pause:1', 'kagent.sh/busybox:2']);
});

test('what docker wrote gets the registry containerd adds', async () => {
  const path = await archive('a.tar', {
    'manifest.json': [
      { RepoTags: ['busybox:1', 'library/redis:7', 'quay.io/a/b:1', 'localhost/x:1'] },
      { RepoTags: null },
    ],
  });
  expect(await archiveImageNames(path)).toEqual([
    'docker.io/library/busybox:1',
    'docker.io/library/redis:7',
    'quay.io/a/b:1',
    'localhost/x:1',
  ]);
});

test('compressed archives are read too', async () => {
  expect(await archiveImageNames(await archive('a.tar.gz', oci, gzipSync))).toContain('kagent.sh/pause:1');
  expect(await archiveImageNames(await archive('a.tgz', oci, gzipSync))).toContain('kagent.sh/pause:1');
  expect(await archiveImageNames(await archive('a.tar.zst', oci, zstdCompressSync))).toContain('kagent.sh/pause:1');
});
