import { copyFileSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { lastLines } from '../../shared/plain-text/plain-text.ts';

/** Names the file that stdout and stderr go to, so that the process itself can keep it small. */
export const serviceLogVariable = 'KAGENT_SERVICE_LOG';

const maxBytes = 20 * 1024 * 1024;
const everyMs = 60_000;

/**
 * Where no service manager keeps the log, kagent does: when it is too long it is copied to `<path>.1` and emptied. It is
 * emptied, not renamed, since stdout stays open on it; as it was opened for appending, the next line goes to its start.
 */
export function keepServiceLogSmall(env: Readonly<NodeJS.ProcessEnv>, signal: AbortSignal): void {
  const path = env[serviceLogVariable];
  if (path === undefined) return;
  const timer = setInterval(() => rotateLog(path, maxBytes), everyMs).unref();
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}

/** Without waiting in between, so that no line of this process is lost between the copy and the emptying. */
export function rotateLog(path: string, limitBytes: number): void {
  try {
    if (statSync(path).size <= limitBytes) return;
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
  } catch {
    // No room for the copy, or the file was taken away: the log grows on, the service keeps running.
  }
}

/** The last lines written after the first `fromBytes` bytes, for a person to read. */
export function lastLinesIn(path: string, fromBytes: number, count: number): string {
  try {
    return lastLines(readFileSync(path).subarray(fromBytes).toString('utf8'), count);
  } catch {
    return '';
  }
}
