import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeFolder, readFileIfExists, writeFileAtomicSync } from '../../shared/files/files.ts';

/** In a daemon's environment: by it a pid is known to be still the daemon's and not another program's. */
export const daemonVariable = 'KAGENT_DAEMON_PID_FILE';

export function writePidFile(path: string, pid: number): void {
  makeFolder(dirname(path), 0o755); // as pods with user namespaces of their own need it
  writeFileAtomicSync(path, `${pid}\n`, 0o644);
}

/** The daemon that wrote the file, if it is alive. */
export function daemonPid(path: string): number | undefined {
  const pid = Number(readFileIfExists(path)?.trim());
  return Number.isInteger(pid) && pid > 1 && isDaemon(pid, path) ? pid : undefined;
}

function isDaemon(pid: number, path: string): boolean {
  try {
    // A process that only waits to be reaped has an empty environment here.
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`${daemonVariable}=${path}`);
  } catch {
    return false;
  }
}

/** SIGTERM, and SIGKILL after `timeoutMs`; resolves when it is gone and its file too. @returns whether there was one */
export async function stopDaemon(path: string, timeoutMs: number): Promise<boolean> {
  const pid = daemonPid(path);
  if (pid !== undefined) {
    process.kill(pid, 'SIGTERM');
    const deadlineMs = performance.now() + timeoutMs;
    while (daemonPid(path) === pid) {
      if (performance.now() > deadlineMs) process.kill(pid, 'SIGKILL');
      await delay(20);
    }
  }
  if (existsSync(path)) await rm(path, { force: true });
  return pid !== undefined;
}
