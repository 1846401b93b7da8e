import { execFile } from 'node:child_process';
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf } from '../../shared/errors.ts';

const run = promisify(execFile);

/** The kubelet's trees: `kubepods` (cgroupfs) or `kubepods.slice` (systemd), in each hierarchy. Their processes have ended. */
export async function removePodCgroups(left: string[]): Promise<number> {
  await stopSlices(left);
  const base = '/sys/fs/cgroup';
  const hierarchies = existsSync(join(base, 'cgroup.controllers'))
    ? [base]
    : readdirSync(base).map((name) => join(base, name));
  const trees = hierarchies
    .flatMap((dir) => [join(dir, 'kubepods'), join(dir, 'kubepods.slice')])
    .filter((path) => existsSync(path));
  let removed = 0;
  for (const tree of trees) {
    const deadline = performance.now() + 2000;
    // A cgroup is busy until the kernel has reaped its last process.
    while (!removeTree(tree) && performance.now() < deadline) await delay(20);
    if (existsSync(tree)) left.push(`cgroup ${tree} stays: a process is in it`);
    else removed += 1;
  }
  return removed;
}

/** systemd's own units, which would stay in its list without processes and cgroups. Stopping one stops those below. */
async function stopSlices(left: string[]): Promise<void> {
  if (!existsSync('/run/systemd/system')) return;
  try {
    await run('systemctl', ['stop', 'kubepods.slice']);
  } catch (error) {
    left.push(`kubepods.slice stays: ${messageOf(error).trim()}`);
  }
}

function removeTree(path: string): boolean {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) removeTree(join(path, entry.name));
    }
    rmdirSync(path);
    return true;
  } catch {
    return !existsSync(path);
  }
}
