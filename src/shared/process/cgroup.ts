import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../errors.ts';

const root = '/sys/fs/cgroup';
const v1Controllers = ['cpu', 'cpuacct', 'memory', 'pids'] as const;

/**
 * A cgroup a child, so that its memory and CPU can be told from others': `kagent/<name>` in each v1 hierarchy, or below
 * `/kagent` of the one v2 hierarchy. Where cgroups cannot be made (a container without rights) there is none.
 */
export function childCgroups(name: string): readonly string[] {
  return hierarchies().flatMap((hierarchy) => {
    const path = join(hierarchy, 'kagent', name);
    try {
      mkdirSync(path, { recursive: true });
      return [path];
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      return [];
    }
  });
}

/** Takes the (empty) cgroups of all children away. @returns those that something is still in */
export function removeCgroups(): readonly string[] {
  return hierarchies().flatMap((hierarchy) => removeTree(join(hierarchy, 'kagent')));
}

function removeTree(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  const below = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const left = below.flatMap((entry) => removeTree(join(path, entry.name)));
  if (left.length > 0) return left;
  try {
    rmdirSync(path);
    return [];
  } catch (error) {
    if (systemCode(error) === 'EBUSY') return [path];
    throw error;
  }
}

function hierarchies(): readonly string[] {
  if (existsSync(join(root, 'cgroup.controllers'))) {
    enableControllers();
    return [root];
  }
  return v1Controllers.map((name) => join(root, name)).filter((path) => existsSync(path));
}

/** v2 hands a controller down only where the parent says so. */
function enableControllers(): void {
  const parent = join(root, 'kagent');
  try {
    mkdirSync(parent, { recursive: true });
    for (const path of [root, parent]) {
      const wanted = readFileSync(join(path, 'cgroup.controllers'), 'utf8')
        .trim()
        .split(' ')
        .map((name) => `+${name}`);
      writeFileSync(join(path, 'cgroup.subtree_control'), wanted.join(' '));
    }
  } catch (error) {
    if (systemCode(error) === undefined) throw error; // no right to: then figures come from /proc alone
  }
}
