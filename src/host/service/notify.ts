import { writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, systemCode } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import { run } from '../run.ts';

/** Tells whoever started this process how far it is: systemd, the waiting `--daemonize`, or nobody. */
export interface Notifier {
  /** What happens now, one line. */
  status(text: string): void;
  ready(text: string): void;
  stopping(): void;
  /** The start or stop takes longer than agreed: another `ms` from now. */
  extendTimeout(ms: number): void;
  /** The sentence the start ended with. */
  failed(message: string): void;
  /** Resolves when all that was said has arrived. */
  flush(): Promise<void>;
}

/** By these variables a starter says where it listens. */
export const notifyVariables = { systemd: 'NOTIFY_SOCKET', daemonize: 'KAGENT_NOTIFY_FD' } as const;

/** What is sent: sd_notify's assignments, `READY=1`; later ones of a name replace earlier ones. */
type Fields = Readonly<Record<string, string>>;

export function createNotifier(env: Readonly<NodeJS.ProcessEnv>, log: Log): Notifier {
  const fd = env[notifyVariables.daemonize];
  if (fd !== undefined) return notifierOver(pipeSender(Number(fd)));
  if (env[notifyVariables.systemd] !== undefined) return notifierOver(systemdSender(env, log));
  return notifierOver(async () => true);
}

/** @returns whether it has arrived, or never can */
type Send = (fields: Fields) => Promise<boolean>;

/** A `READY=1` that is lost leaves a unit of `Type=notify` starting for ever. */
const attempts = { most: 10, pauseMs: 1000 };

function notifierOver(send: Send): Notifier {
  let waiting: Record<string, string> = {};
  let sending: Promise<void> | undefined;
  let failed = 0;
  const drain = async (): Promise<void> => {
    while (Object.keys(waiting).length > 0) {
      const fields = waiting;
      waiting = {};
      if (await send(fields)) {
        failed = 0;
      } else if (++failed < attempts.most) {
        waiting = { ...fields, ...waiting };
        await delay(attempts.pauseMs);
      }
    }
    sending = undefined;
  };
  // While one message is on its way the next ones become one: a status that is out of date is not sent.
  const say = (fields: Fields): void => {
    Object.assign(waiting, fields);
    sending ??= drain();
  };
  const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ');
  return {
    status: (text) => say({ STATUS: oneLine(text) }),
    ready: (text) => say({ READY: '1', STATUS: oneLine(text) }),
    stopping: () => say({ STOPPING: '1' }),
    extendTimeout: (ms) => say({ EXTEND_TIMEOUT_USEC: String(ms * 1000) }),
    failed: (message) => say({ STATUS: oneLine(message), X_KAGENT_FAILED: JSON.stringify(message) }),
    flush: async () => {
      await sending;
    },
  };
}

/**
 * To the process that waits behind `--daemonize`: a line an assignment, on a pipe. It is never closed: its number would be
 * given to another file, and whoever asks for a notifier anew would write into that.
 */
function pipeSender(fd: number): Send {
  let isOpen = true;
  return async (fields) => {
    if (!isOpen) return true;
    try {
      writeSync(fd, toLines(fields));
    } catch {
      isOpen = false; // nobody waits any more
    }
    return true;
  };
}

function toLines(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/** It waits until systemd has read the message; a slow box's systemd is busy while a service starts. */
const toldWithinMs = 20_000;

/**
 * systemd listens on a datagram socket of the Unix kind, which Node cannot send to; `systemd-notify` can, and is there
 * wherever systemd is. It sends in the name of this process, so that systemd knows the sender.
 * @see sd_notify(3), systemd-notify(1)
 */
function systemdSender(env: Readonly<NodeJS.ProcessEnv>, log: Log): Send {
  let isMissing = false;
  let hasFailed = false; // is said once, until it works again
  return async (fields) => {
    if (isMissing) return true;
    const assignments = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
    try {
      await run('systemd-notify', [`--pid=${process.pid}`, ...assignments], {
        timeoutMs: toldWithinMs,
        env: { PATH: env['PATH'], NOTIFY_SOCKET: env[notifyVariables.systemd] },
      });
      hasFailed = false;
    } catch (error) {
      isMissing = systemCode(error) === 'ENOENT';
      if (!hasFailed)
        log.warn('the service manager could not be told', { state: assignments, error: messageOf(error) });
      hasFailed = true;
    }
    return !hasFailed || isMissing;
  };
}
