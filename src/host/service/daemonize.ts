import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { isSea } from 'node:sea';
import type { Readable } from 'node:stream';
import { makeFolder } from '../../shared/files/files.ts';
import { runPaths } from '../../shared/paths.ts';
import { allocatorVariables } from './allocator.ts';
import { AlreadyRunningError, DaemonFailedError } from './errors.ts';
import { notifyVariables } from './notify.ts';
import { daemonPid, daemonVariable, writePidFile } from './pid-file.ts';
import { lastLinesIn, serviceLogVariable } from './service-log.ts';

export interface DaemonOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** Gets stdout and stderr. */
  readonly logPath: string;
  readonly pidFile: string;
  /** Told of each new status. */
  readonly onStatus: (text: string) => void;
}

/**
 * Starts the command in a session of its own and waits until it says that it is ready. Aborting ends the daemon too.
 * @returns its pid
 * @throws {AlreadyRunningError}
 * @throws {DaemonFailedError} with the sentence the daemon ended with
 */
export async function daemonize(options: DaemonOptions, signal: AbortSignal): Promise<number> {
  const { logPath, pidFile } = options;
  const running = daemonPid(pidFile);
  if (running !== undefined) throw new AlreadyRunningError(running);
  makeFolder(dirname(logPath), 0o700);
  const log = openSync(logPath, 'a', 0o600);
  const sizeBefore = fstatSync(log).size;
  const child = spawn(options.command, [...options.args], {
    detached: true, // setsid: the terminal's end is not its end
    cwd: '/',
    stdio: ['ignore', log, log, 'pipe'],
    env: {
      ...allocatorVariables,
      ...options.env,
      [daemonVariable]: pidFile,
      [serviceLogVariable]: logPath,
      [notifyVariables.daemonize]: '3',
    },
  });
  closeSync(log);
  const cancel = () => void child.kill('SIGTERM');
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const pid = await spawned(child);
    writePidFile(pidFile, pid);
    const outcome = await readyOrEnded(child, options.onStatus);
    signal.throwIfAborted();
    if (outcome.ready) return pid;
    throw new DaemonFailedError(outcome.sentence ?? unexplained(outcome.ending, lastLinesIn(logPath, sizeBefore, 12)));
  } finally {
    signal.removeEventListener('abort', cancel);
    child.unref();
  }
}

/** Whether this process is the daemon already, and need not become one. */
export function isDaemon(env: Readonly<NodeJS.ProcessEnv>): boolean {
  return env[daemonVariable] !== undefined;
}

/** The same command again, as a daemon: its `--daemonize` finds that it is one. */
export function daemonizeSelf(
  options: Pick<DaemonOptions, 'logPath' | 'onStatus'> & { readonly pidFile?: string },
  signal: AbortSignal,
): Promise<number> {
  const [, script = '', ...args] = process.argv;
  const program = isSea() ? args : [...process.execArgv, script, ...args];
  const { pidFile = runPaths.pidFile } = options;
  return daemonize({ ...options, command: process.execPath, args: program, env: process.env, pidFile }, signal);
}

function spawned(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid ?? 0));
    child.once('error', reject);
  });
}

type Outcome =
  | { readonly ready: true }
  | { readonly ready: false; readonly ending: string; readonly sentence: string | undefined };

/** Reads what the daemon says on its pipe: the lines that notify.ts writes. */
function readyOrEnded(child: ChildProcess, onStatus: (text: string) => void): Promise<Outcome> {
  return new Promise((resolve) => {
    const pipe = child.stdio[3] as Readable;
    const lines = createInterface({ input: pipe });
    let sentence: string | undefined;
    let lastStatus: string | undefined;
    lines.on('line', (line) => {
      const equals = line.indexOf('=');
      const value = line.slice(equals + 1);
      switch (line.slice(0, equals)) {
        case 'READY':
          resolve({ ready: true });
          pipe.destroy();
          break;
        case 'STATUS':
          if (value !== lastStatus) onStatus(value);
          lastStatus = value;
          break;
        case 'X_KAGENT_FAILED':
          sentence = JSON.parse(value) as string;
          break;
        default: // meant for systemd
      }
    });
    // 'close', not 'exit': what it said last is read first.
    child.once('close', (code, signal) =>
      resolve({ ready: false, ending: signal === null ? `exit code ${code}` : `signal ${signal}`, sentence }),
    );
  });
}

function unexplained(ending: string, said: string): string {
  const lines = said === '' ? 'it wrote nothing' : `its last lines:\n${said.replaceAll(/^/gm, '  ')}`;
  return `kagent ended (${ending}) before it was ready; ${lines}`;
}
