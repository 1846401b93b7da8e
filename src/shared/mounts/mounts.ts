/**
 * @module
 * What is mounted. Knows: /proc/self/mountinfo. Leaves to others: which of it is theirs.
 * Spec: proc_pid_mountinfo(5).
 */
import { readFileSync } from 'node:fs';

export interface Mount {
  readonly id: string;
  readonly parentId: string;
  /** `major:minor` */
  readonly device: string;
  /** The folder of the file system that is seen at `point`. */
  readonly root: string;
  readonly point: string;
}

/** Every mount this process sees, in the order they were made. */
export function readMounts(): readonly Mount[] {
  return parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
}

export function parseMounts(mountinfo: string): readonly Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [id, parentId, device, root, point] = line.split(' ');
    if (id === undefined || parentId === undefined || device === undefined) return [];
    if (root === undefined || point === undefined) return [];
    return [{ id, parentId, device, root: unescapeOctal(root), point: unescapeOctal(point) }];
  });
}

/** Space, tab, newline and backslash are written as `\040`. */
function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

export function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}
