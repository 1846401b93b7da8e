/**
 * Which bundle this executable was built for. Only that one is ever fetched: whatever a server sends is compared with it.
 */
import { getAsset, isSea } from 'node:sea';
import * as z from 'zod';
import { neededAsset } from './embedded.ts';

export const NeededBundle = z.object({
  /** Of the bundle as a file of its own. */
  sha256: z.string(),
  sizeBytes: z.int().positive(),
  /** Where its release has it; absent in a build without a release address. */
  url: z.string().optional(),
});
export type NeededBundle = Readonly<z.infer<typeof NeededBundle>>;

/** @returns undefined in development, and in an executable that was built without a bundle */
export function neededBundle(): NeededBundle | undefined {
  if (!isSea()) return undefined;
  return NeededBundle.nullable().parse(JSON.parse(getAsset(neededAsset, 'utf8'))) ?? undefined;
}
