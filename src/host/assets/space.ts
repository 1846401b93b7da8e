import { statfs } from 'node:fs/promises';
import { AssetsNoSpaceError } from './errors.ts';

/** @throws {AssetsNoSpaceError} before anything is written that there is no room for */
export async function checkSpace(folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < neededBytes) throw new AssetsNoSpaceError(folder, neededBytes, bavail * bsize);
}
