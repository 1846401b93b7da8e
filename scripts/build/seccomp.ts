/**
 * libseccomp of another architecture, for runc: Debian's package, as files beside each other, used through pkg-config.
 */
import { join } from 'node:path';
import type { Target } from './target.ts';

/** @param dir where the package was unpacked to */
export function pkgConfigOf({ triplet }: Target, dir: string): Record<string, string> {
  const files = join(dir, 'package');
  return {
    PKG_CONFIG_SYSROOT_DIR: files,
    PKG_CONFIG_LIBDIR: join(files, 'usr', 'lib', triplet, 'pkgconfig'),
  };
}
