/** CPU time of a whole machine and of a whole host of the lab: of processes that came and went, and of pods, too. */
import { readFileSync } from 'node:fs';
import type { LabHost } from '../../test/helpers/lab.ts';

const ticksPerSecond = 100; // USER_HZ

/** CPU-seconds that all cores together have worked since boot. */
export function machineCpuSeconds(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] =
    /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]?.split(' ').map(Number) ?? [];
  return (user + nice + system + irq + softirq + steal) / ticksPerSecond;
}

/** CPU-seconds of everything in the host's cgroup, v1 or v2. */
export async function hostCpuSeconds(host: LabHost): Promise<number> {
  const v1 = await host.exec(['cat', '/sys/fs/cgroup/cpuacct/cpuacct.usage']);
  if (v1.code === 0) return Number(v1.stdout) / 1e9;
  const v2 = await host.must(['cat', '/sys/fs/cgroup/cpu.stat']);
  return Number(/^usage_usec (\d+)$/m.exec(v2)?.[1]) / 1e6;
}
