import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { hostRoot } from '../../../../src/host/checks/root.ts';
import type { HostRoot } from '../../../../src/host/checks/root.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

/** A folder that looks like a box's root: path → content; a path that ends with `/` is a folder. */
export function fakeRoot(files: Readonly<Record<string, string>>): HostRoot {
  const root = hostRoot(temporaryDir());
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(root.path(path.endsWith('/') ? path : dirname(path)), { recursive: true });
    if (!path.endsWith('/')) writeFileSync(root.path(path), content, { mode: 0o755 });
  }
  return root;
}
