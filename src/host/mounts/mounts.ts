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
  /** Of the mount and of its file system: `noexec`, `ro`, … */
  readonly options: readonly string[];
  /** `ext4` */
  readonly type: string;
}

/** Every mount this process sees, in the order they were made. */
export function readMounts(): readonly Mount[] {
  return parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
}

export function parseMounts(mountinfo: string): readonly Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [mount = '', filesystem = ''] = line.split(' - '); // fields before it vary in number
    const [id, parentId, device, root, point, options = ''] = mount.split(' ');
    const [type = '', , superOptions = ''] = filesystem.split(' ');
    if (id === undefined || parentId === undefined || device === undefined) return [];
    if (root === undefined || point === undefined) return [];
    return [
      {
        id,
        parentId,
        device,
        root: unescapeOctal(root),
        point: unescapeOctal(point),
        options: `${options},${superOptions}`.split(','),
        type,
      },
    ];
  });
}

/** Space, tab, newline and backslash are written as `\040`. */
function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The mount that `path`, which need not exist, is on; of several at one point the last hides the others. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  const holding = mounts.filter(({ point }) => path === point || isBelow(path, point));
  const longest = Math.max(...holding.map(({ point }) => point.length));
  return holding.findLast(({ point }) => point.length === longest);
}

export function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}
