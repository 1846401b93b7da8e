import { expect, test } from 'vitest';
import { BundleManifest, decodeTrailer, encodeTrailer, trailerBytes } from '../../../../src/host/assets/format.ts';

const trailer = {
  bundleBytes: 78_832_743,
  manifestOffset: 78_820_000,
  manifestBytes: 12_679,
  manifestSha256: 'ab'.repeat(32),
};

test('a trailer is read as it was written, in 64 bytes', () => {
  const bytes = encodeTrailer(trailer);
  expect(bytes.length).toBe(trailerBytes);
  expect(decodeTrailer(bytes)).toEqual(trailer);
});

test('other bytes are no trailer', () => {
  expect(decodeTrailer(Buffer.alloc(trailerBytes))).toBeUndefined();
  expect(decodeTrailer(encodeTrailer(trailer).subarray(1))).toBeUndefined();
});

test.each(['/bin/sh', '../bin/sh', 'bin/../../sh', 'bin//sh', '', 'bin/.', 'a\nb'])(
  'a bundle cannot write outside its folder: %j is refused',
  (path) => {
    const file = {
      name: 'sh',
      path,
      component: 'x',
      version: '1',
      licence: 'MIT',
      mode: 0o755,
      sizeBytes: 0,
      sha256: 'ab'.repeat(32),
      offset: 0,
      compressedBytes: 0,
      frames: [],
    };
    const manifest = {
      format: 2,
      kagent: '1',
      arch: 'x64',
      frameSizeBytes: 1,
      components: [],
      files: [file],
      links: [],
    };
    expect(BundleManifest.safeParse(manifest).success).toBe(false);
    expect(BundleManifest.safeParse({ ...manifest, files: [{ ...file, path: 'bin/sh' }] }).success).toBe(true);
  },
);
