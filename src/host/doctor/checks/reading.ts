/** Small readings that several checks share. */
import { namesIfReadable } from '../../../shared/files/files.ts';
import type { Mount } from '../../mounts/mounts.ts';
import { mountUnder } from '../../checks/checks.ts';
import type { HostRoot } from '../../checks/checks.ts';

/** Names of the files in a folder of the host; none if it is not there. */
export function namesBelow(root: HostRoot, folder: string): readonly string[] {
  return namesIfReadable(root.path(folder));
}

export function processIds(root: HostRoot): readonly string[] {
  return namesBelow(root, '/proc').filter((name) => /^\d+$/.test(name));
}

/** Of each process, as the kernel cuts it: fifteen letters. */
export function processNames(root: HostRoot): ReadonlySet<string> {
  return new Set(processIds(root).flatMap((pid) => root.read(`/proc/${pid}/comm`)?.trim() ?? []));
}

export function mountAt(root: HostRoot, path: string): Mount | undefined {
  return mountUnder(path, root);
}

/** `MemTotal` of /proc/meminfo in MiB. */
export function memoryMiB(root: HostRoot, field: string): number | undefined {
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(root.read('/proc/meminfo') ?? '')?.[1];
  return kib === undefined ? undefined : Math.floor(Number(kib) / 1024);
}

/** `6.1.0-9-amd64` → [6, 1] */
export function majorMinor(version: string): readonly [number, number] | undefined {
  const match = /(\d+)\.(\d+)/.exec(version);
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

export function isOlder(version: readonly [number, number], than: readonly [number, number]): boolean {
  return version[0] < than[0] || (version[0] === than[0] && version[1] < than[1]);
}
