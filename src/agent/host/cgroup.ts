import { existsSync } from 'node:fs';
import type { CgroupVersion } from './host.ts';
import type { HostRoot } from './root.ts';

const mounts = '/sys/fs/cgroup';

export function cgroupVersion(root: HostRoot): CgroupVersion {
  if (existsSync(root.path(`${mounts}/cgroup.controllers`))) return 'v2';
  return existsSync(root.path(`${mounts}/unified`)) ? 'hybrid' : 'v1';
}

/** Some boards boot with the memory controller off. */
export function hasMemoryCgroup(root: HostRoot): boolean {
  const v2 = root.read(`${mounts}/cgroup.controllers`);
  if (v2 !== undefined) return v2.split(/\s+/).includes('memory');
  return existsSync(root.path(`${mounts}/memory`));
}
