import { join } from 'node:path';
import type { Command } from 'commander';
import type { Paths } from '../shared/paths.ts';
import { daemonizeSelf, isDaemon, keepServiceLogSmall } from '../host/service/service.ts';

export function addDaemonize(command: Command): Command {
  return command.option(
    '--daemonize',
    'Keep running in the background once the node is Ready; for boxes without a service manager',
  );
}

/**
 * With `--daemonize`: starts this very command in the background, waits until it is ready, and is done.
 * @returns whether that was it; false in the daemon itself, and without the flag
 * @throws {AlreadyRunningError} @throws {DaemonFailedError}
 */
export async function daemonized(command: Command, paths: Paths): Promise<boolean> {
  const never = new AbortController().signal;
  if (isDaemon(process.env)) keepServiceLogSmall(process.env, never);
  const { daemonize = false } = command.opts<{ readonly daemonize?: boolean }>();
  if (!daemonize || isDaemon(process.env)) return false;
  const cancel = new AbortController();
  process.once('SIGINT', () => cancel.abort());
  const logPath = join(paths.logs, 'kagent.log');
  const onStatus = (text: string) => void process.stdout.write(`${text}\n`);
  const pid = await daemonizeSelf({ logPath, onStatus }, cancel.signal);
  process.stdout.write(`kagent runs in the background, pid ${pid}; its log is ${logPath}\n`);
  return true;
}
