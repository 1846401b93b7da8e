import { readFileSync } from 'node:fs';

/** Every mount point this process sees, in the order they were made. */
export function mountPoints(mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): readonly string[] {
  return mountinfo.split('\n').flatMap((line) => {
    const point = line.split(' ')[4];
    return point === undefined ? [] : [unescapeOctal(point)];
  });
}

/** proc(5): space, tab, newline and backslash are written as `\040`. */
function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

export function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}
