import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { systemCode } from '../../shared/errors.ts';
import { readFileIfExists, foldersIn } from '../../shared/files/files.ts';

const v1Controllers = ['cpu', 'cpuacct', 'memory', 'pids'] as const;

export interface CgroupOptions {
  /** This process's service, if it is one. */
  readonly serviceName: string | undefined;
  /** Another root than `/`, in tests. */
  readonly root?: string;
}

/**
 * A cgroup for each child, so that what it uses can be told from what others use: below the unit's own cgroup where systemd
 * has given kagent one (`Delegate=yes`), else in a tree `kagent` of its own. There is none where cgroups cannot be made (a
 * container without rights), and none where systemd owns the one tree and kagent is not a unit of it.
 */
export function childCgroups(name: string, options: CgroupOptions): readonly string[] {
  return parents(options).flatMap((parent) => {
    const path = join(parent, name);
    try {
      mkdirSync(path, { recursive: true });
      return [path];
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      return [];
    }
  });
}

/** Removes the (empty) cgroups of all children. @returns those that something is still in */
export function removeCgroups(root = '/'): readonly string[] {
  return hierarchies(root).flatMap((hierarchy) => removeCgroupTree(join(hierarchy, 'kagent')));
}

function parents(options: CgroupOptions): readonly string[] {
  const { root = '/' } = options;
  const unit = unitCgroups(options);
  if (unit.length > 0) return unit;
  const own = hierarchies(root).map((hierarchy) => join(hierarchy, 'kagent'));
  if (!isV2(root)) return own;
  if (existsSync(join(root, 'run/systemd/system'))) return [];
  enableControllers(root);
  return own;
}

/**
 * The unit's cgroup in each hierarchy. No controller is enabled below it in v2: then processes may be in the unit's cgroup
 * itself, where systemd puts the next kagent while containers' shims are still in a cgroup below.
 */
function unitCgroups({ serviceName, root = '/' }: CgroupOptions): readonly string[] {
  if (serviceName === undefined) return [];
  const lines = (readFileIfExists(join(root, 'proc/self/cgroup')) ?? '').trim().split('\n');
  return lines.flatMap((line) => {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (basename(path) !== `${serviceName}.service`) return [];
    const wanted = isV2(root) ? controllers === '' : controllers.split(',').some(isWantedV1);
    return wanted ? [join(mountsOf(root), isV2(root) ? '' : controllers, path)].filter((dir) => existsSync(dir)) : [];
  });
}

function isWantedV1(controller: string): boolean {
  return v1Controllers.some((wanted) => wanted === controller);
}

/** A cgroup and those below it. @returns those that something is still in */
export function removeCgroupTree(path: string): readonly string[] {
  const left = foldersIn(path).flatMap((name) => removeCgroupTree(join(path, name)));
  if (left.length > 0) return left;
  try {
    rmdirSync(path);
    return [];
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return existsSync(path) ? [path] : [];
  }
}

function mountsOf(root: string): string {
  return join(root, 'sys/fs/cgroup');
}

function isV2(root: string): boolean {
  return existsSync(join(mountsOf(root), 'cgroup.controllers'));
}

function hierarchies(root: string): readonly string[] {
  if (isV2(root)) return [mountsOf(root)];
  return v1Controllers.map((name) => join(mountsOf(root), name)).filter((path) => existsSync(path));
}

/** v2 passes a controller down only where the parent enables it. */
function enableControllers(root: string): void {
  const top = mountsOf(root);
  const parent = join(top, 'kagent');
  try {
    mkdirSync(parent, { recursive: true });
    for (const path of [top, parent]) {
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
