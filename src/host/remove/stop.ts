import { setTimeout as delay } from 'node:timers/promises';
import { askStatus, NotRunningError } from '../daemon/daemon.ts';
import { messageOf } from '../../shared/errors.ts';
import { runPaths } from '../../shared/paths.ts';
import { installedServices, stopDaemon } from '../service/service.ts';
import type { Outcome, RemoveOptions } from './types.ts';
import { printOutcome, runSteps } from './steps.ts';
import { isAlive } from '../process/process.ts';

const stopTimeoutMs = 90_000;

export async function runStop(options: Pick<RemoveOptions, 'host' | 'managers' | 'print'>): Promise<Outcome> {
  const outcome = await runSteps([{ title: 'kagent stopped', run: () => stopKagent(options) }], options.print);
  printOutcome(outcome, options.print);
  return outcome;
}

/** Ends kagent, whoever started it: a service manager, `--daemonize`, somebody in a terminal. Pods keep running. */
export async function stopKagent({
  host,
  managers,
}: Pick<RemoveOptions, 'host' | 'managers'>): Promise<Partial<Outcome>> {
  const failed: string[] = [];
  for (const { name, manager } of installedServices(managers)) {
    // One whose manager is not on this box any more is no reason to leave the others running.
    await manager.stop(name).catch((error: unknown) => failed.push(messageOf(error)));
  }
  await stopDaemon(host.path(runPaths.pidFile), stopTimeoutMs);
  await stopForeground(host.path(runPaths.statusSocket));
  return { failed };
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
