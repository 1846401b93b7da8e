import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { askStatus, NotRunningError } from '../../shared/daemon/daemon.ts';
import { runPaths } from '../../shared/paths.ts';
import { endLeftOvers, removeCgroups } from '../../shared/process/process.ts';
import { installedServices, stopDaemon } from '../../shared/service/service.ts';
import { restoreHost } from '../host/host.ts';
import { removeNetwork } from '../network/network.ts';
import { endPods } from '../runtime/runtime.ts';
import type { BoxParts, Outcome, RemoveOptions } from './remove.ts';
import { printOutcome, runSteps, type Step } from './steps.ts';

export const realParts: BoxParts = { endPods, removeNetwork, removeCgroups, restoreHost };
const stopTimeoutMs = 90_000;

/** Ends kagent, its children and every pod, and takes their mounts, links, rules and cgroups away. Files stay. */
export async function runKillall(options: RemoveOptions): Promise<Outcome> {
  const outcome = await runSteps(killallSteps(options), options.print);
  printOutcome(outcome, options.print);
  return outcome;
}

export function killallSteps(options: RemoveOptions): readonly Step[] {
  const { paths, host, managers, log, parts = realParts } = options;
  return [
    {
      title: 'kagent stopped',
      run: async () => {
        for (const { name, manager } of installedServices(managers)) await manager.stop(name);
        await stopDaemon(host.path(runPaths.pidFile), stopTimeoutMs);
        await stopForeground(host.path(runPaths.statusSocket));
        return {};
      },
    },
    {
      title: 'left-over children ended',
      run: async () => {
        await endLeftOvers(paths.children, log);
        return {};
      },
    },
    { title: 'pods ended', run: async () => ({ failed: (await parts.endPods(paths)).left }) },
    { title: 'links and rules removed', run: async () => ({ failed: (await parts.removeNetwork()).left }) },
    {
      title: 'cgroups removed',
      run: async () => ({ failed: parts.removeCgroups().map((path) => `${path} is in use`) }),
    },
  ];
}

/** One that somebody runs in a terminal. */
async function stopForeground(statusSocket: string): Promise<void> {
  const pid = await runningPid(statusSocket);
  if (pid === undefined || pid === process.pid) return;
  process.kill(pid, 'SIGTERM');
  const deadlineMs = performance.now() + stopTimeoutMs;
  while (isAlive(pid)) {
    if (performance.now() > deadlineMs) process.kill(pid, 'SIGKILL');
    await delay(50);
  }
}

async function runningPid(statusSocket: string): Promise<number | undefined> {
  try {
    return (await askStatus(statusSocket)).pid;
  } catch (error) {
    if (error instanceof NotRunningError) return undefined;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== ''; // empty: it has ended, and waits to be reaped
  } catch {
    return false;
  }
}
