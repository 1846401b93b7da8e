/**
 * @module
 * Folders of this node that are volumes, made and removed on the server's word.
 * Knows: nothing is done outside the folder of all volumes, or through a symlink. Leaves to others: which volumes there are
 * (server/addons/local-storage), mounting them into pods (kubelet).
 */
import { lstatSync, realpathSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { rm } from 'node:fs/promises';
import { isAbsolute, join, normalize } from 'node:path';
import { messageOf } from '../../shared/errors.ts';
import { makeFolder } from '../../shared/files/files.ts';
import type { VolumeFolder } from '../../shared/protocol/channel.ts';
import { isBelow, readMounts } from '../../host/mounts/mounts.ts';
import type { Mount } from '../../host/mounts/mounts.ts';
import { VolumeBusyError, VolumeFailedError, VolumePathError } from './errors.ts';

export interface VolumesOptions {
  /** How long the answer waits for a volume that takes long to remove. */
  readonly patienceMs?: number;
  readonly mounts?: () => readonly Mount[];
}

const usualPatienceMs = 15_000;

export class Volumes {
  readonly #removals = new Map<string, Promise<void>>();
  readonly #patienceMs: number;
  readonly #mounts: () => readonly Mount[];

  constructor({ patienceMs = usualPatienceMs, mounts = readMounts }: VolumesOptions = {}) {
    this.#patienceMs = patienceMs;
    this.#mounts = mounts;
  }

  /** Makes the folder, which everybody may write to; what is there already stays as it is. @throws {VolumePathError} @throws {VolumeBusyError} @throws {VolumeFailedError} */
  make(place: VolumeFolder): void {
    const path = within(place);
    if (this.#removals.has(path)) throw new VolumeBusyError(path, 'it is being removed');
    try {
      makeFolder(place.root, 0o755);
      // Any user of a pod may write to its volume.
      for (const folder of foldersOf(place)) if (!isFolder(folder)) makeFolder(folder, folder === path ? 0o777 : 0o755);
    } catch (error) {
      throw failed(path, error);
    }
  }

  /** Removes the folder with all that is in it; one that is gone is no error. @throws {VolumePathError} @throws {VolumeBusyError} @throws {VolumeFailedError} */
  async remove(place: VolumeFolder): Promise<void> {
    const path = within(place);
    const removal = this.#removals.get(path) ?? this.#begin(place, path);
    const timer = Promise.withResolvers<'late'>();
    const timeout = setTimeout(() => timer.resolve('late'), this.#patienceMs);
    try {
      if ((await Promise.race([removal, timer.promise])) === 'late')
        throw new VolumeBusyError(path, 'it is being removed');
    } catch (error) {
      throw failed(path, error);
    } finally {
      clearTimeout(timeout);
    }
  }

  #begin(place: VolumeFolder, path: string): Promise<void> {
    for (const folder of foldersOf(place)) if (!isFolder(folder)) return Promise.resolve();
    const real = realpathSync(path);
    const mounted = this.#mounts().find(({ point }) => point === real || isBelow(point, real));
    if (mounted !== undefined) throw new VolumeBusyError(path, `something is mounted at ${mounted.point}`);
    const removal = rm(path, { recursive: true }).finally(() => this.#removals.delete(path));
    this.#removals.set(path, removal);
    removal.catch(() => {}); // whoever waits hears of it, and the next one tries again
    return removal;
  }
}

/** @throws {VolumePathError} for a path that may not be a volume's */
function within({ root, path }: VolumeFolder): string {
  for (const one of [root, path])
    if (!isAbsolute(one) || normalize(one) !== one)
      throw new VolumePathError(path, `${one} is not a plain absolute path`);
  if (root === '/') throw new VolumePathError(path, 'volumes need a folder of their own, not /');
  if (!isBelow(path, root) || path.endsWith('/')) throw new VolumePathError(path, `it is not below ${root}`);
  return path;
}

/** From below the root to the volume itself. */
function foldersOf({ root, path }: VolumeFolder): readonly string[] {
  const names = path
    .slice(root.length)
    .split('/')
    .filter((name) => name !== '');
  return names.map((_, index) => join(root, ...names.slice(0, index + 1)));
}

/** @returns false where there is nothing. @throws {VolumePathError} where there is something else, a symlink above all */
function isFolder(path: string): boolean {
  const stat: Stats | undefined = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  if (stat.isSymbolicLink()) throw new VolumePathError(path, 'it is a symlink');
  if (!stat.isDirectory()) throw new VolumePathError(path, 'it is not a folder');
  return true;
}

function failed(path: string, error: unknown): unknown {
  const isOwn = error instanceof VolumePathError || error instanceof VolumeBusyError;
  return isOwn ? error : new VolumeFailedError(path, messageOf(error));
}

export { VolumeBusyError, VolumeFailedError, VolumePathError } from './errors.ts';
