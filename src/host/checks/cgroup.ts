import { existsSync } from 'node:fs';
import type { CgroupVersion, HostFacts } from './types.ts';
import type { HostRoot } from './root.ts';

const mounts = '/sys/fs/cgroup';

export function cgroupVersion(root: HostRoot): CgroupVersion {
  if (existsSync(root.path(`${mounts}/cgroup.controllers`))) return 'v2';
  return existsSync(root.path(`${mounts}/unified`)) ? 'hybrid' : 'v1';
}

/** systemd's own where it has the one tree for itself; beside v1 hierarchies the kubelet and runc make cgroups by themselves. */
export function cgroupDriver(root: HostRoot, systemdIsInit: boolean): HostFacts['cgroupDriver'] {
  return systemdIsInit && cgroupVersion(root) === 'v2' ? 'systemd' : 'cgroupfs';
}

/** Some boards boot with the memory controller off. */
export function hasMemoryCgroup(root: HostRoot): boolean {
  const v2 = root.read(`${mounts}/cgroup.controllers`);
  if (v2 !== undefined) return v2.split(/\s+/).includes('memory');
  return existsSync(root.path(`${mounts}/memory`));
}
