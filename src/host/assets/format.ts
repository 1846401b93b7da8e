/**
 * The bundle's format: what follows the executable in one file.
 *
 *     [executable][blob 1]…[blob n][bundle.json][trailer]
 *                 ^ offsets in bundle.json count from here
 *
 * A blob is one file as zstd frames of `frameSizeBytes` each, so that they can be packed and unpacked side by side.
 * The trailer is of fixed size, at the very end: magic, length of the whole bundle, offset and length of bundle.json,
 * and its sha256, which is the bundle's identity. bundle.json has the sha256 of each frame and of each file, so one hash
 * vouches for all.
 */
import * as z from 'zod';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
/** Relative, of plain names: nothing in a bundle reaches outside the folder it is unpacked to. */
const relativePath = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/, 'not a plain relative path');
const plainName = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*$/, 'not a plain name');

export const BundledFile = z.object({
  name: plainName,
  /** In the unpacked tree: `bin/runc`, `cni/bridge`, `images/pause.tar`. */
  path: relativePath,
  component: z.string(),
  version: z.string(),
  licence: z.string().describe('SPDX expression'),
  mode: z.int().min(0).max(0o777),
  sizeBytes: z.int().nonnegative(),
  /** Of the unpacked file. */
  sha256,
  /** Of the first frame, from the bundle's start. */
  offset: z.int().nonnegative(),
  compressedBytes: z.int().nonnegative(),
  /** Each but the last gives `frameSizeBytes`. The sha256 is of the frame as it is in the bundle: nothing unverified is decompressed. */
  frames: z.array(z.object({ compressedBytes: z.int().positive(), sha256 })),
  /** The name containerd imports it under, if it is an image. */
  image: z.string().optional(),
});
export type BundledFile = Readonly<z.infer<typeof BundledFile>>;

export const BundleManifest = z.object({
  format: z.literal(2),
  kagent: z.string(),
  arch: z.string().describe("Node's name: x64, arm64"),
  frameSizeBytes: z.int().positive(),
  components: z.array(z.object({ name: z.string(), version: z.string(), licence: z.string() })),
  files: z.array(BundledFile),
  /** A program of many names: `{path: 'bin/kubelet', target: 'hyperkube'}`. */
  links: z.array(z.object({ path: relativePath, target: plainName })),
});
export type BundleManifest = Readonly<z.infer<typeof BundleManifest>>;

export interface Trailer {
  /** From the first blob to the trailer's end. */
  readonly bundleBytes: number;
  readonly manifestOffset: number;
  readonly manifestBytes: number;
  readonly manifestSha256: string;
}

const magic = 'KAGENTB1';
export const trailerBytes = 64;

export function encodeTrailer(trailer: Trailer): Buffer {
  const bytes = Buffer.alloc(trailerBytes);
  bytes.write(magic, 0, 'latin1');
  bytes.writeBigUInt64LE(BigInt(trailer.bundleBytes), 8);
  bytes.writeBigUInt64LE(BigInt(trailer.manifestOffset), 16);
  bytes.writeBigUInt64LE(BigInt(trailer.manifestBytes), 24);
  bytes.write(trailer.manifestSha256, 32, 'hex');
  return bytes;
}

/** @returns undefined where these 64 bytes are not a trailer at all */
export function decodeTrailer(bytes: Buffer): Trailer | undefined {
  if (bytes.length !== trailerBytes || bytes.toString('latin1', 0, 8) !== magic) return undefined;
  return {
    bundleBytes: Number(bytes.readBigUInt64LE(8)),
    manifestOffset: Number(bytes.readBigUInt64LE(16)),
    manifestBytes: Number(bytes.readBigUInt64LE(24)),
    manifestSha256: bytes.toString('hex', 32),
  };
}
