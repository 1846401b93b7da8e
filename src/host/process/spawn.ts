import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { Readable } from 'node:stream';
import { launchedWith } from './privileges.ts';
import type { ProcessSpec } from './types.ts';

export interface Child {
  readonly pid: number;
  /** How it ended, in words: `exit code 1`, `signal SIGKILL`. */
  readonly ended: Promise<string>;
  /** It has ended, and all it wrote is read; never where something that it has started holds its pipes. */
  readonly allRead: Promise<void>;
  /** Its standard input, if that was wanted. */
  readonly input: Writable | undefined;
  /** To the whole process group. */
  signal(signal: NodeJS.Signals): void;
}

export interface SpawnOptions {
  /** Folders of cgroups the child is in from its first instruction on. */
  readonly cgroups: readonly string[];
  readonly onLine: (line: string) => void;
  readonly wantsInput?: boolean;
  /** For the lines of further pipes, which are the child's file descriptors from 3 on. */
  readonly onPipeLine?: readonly ((line: string) => void)[];
}

/**
 * Starts the child in its own process group and cgroups; the kernel kills it when kagent dies.
 * A shell does the first steps because Node can do neither between fork and exec; it is replaced by the child.
 * @throws Node's system error if the shell cannot be started
 */
export async function spawnChild(spec: ProcessSpec, options: SpawnOptions): Promise<Child> {
  const { cgroups, onLine, wantsInput = false, onPipeLine = [] } = options;
  const launcher = 'for c in $KAGENT_CGROUPS; do echo $$ >"$c/cgroup.procs"; done; unset KAGENT_CGROUPS; exec "$@"';
  const child = spawn(
    '/bin/sh',
    ['-c', launcher, 'sh', ...launchedWith(spec.securityContext), spec.command, ...spec.args],
    {
      env: { ...spec.env, KAGENT_CGROUPS: cgroups.join(' ') },
      stdio: [wantsInput ? 'pipe' : 'ignore', 'pipe', 'pipe', ...onPipeLine.map(() => 'pipe' as const)],
      ...(spec.cwd !== undefined && { cwd: spec.cwd }),
      detached: true, // a process group of its own
    },
  );
  const ended = new Promise<string>((resolve) => {
    // 'close' would wait for grandchildren that hold the pipes, such as containers' shims.
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
  const allRead = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  readLines(child, [onLine, onLine, ...onPipeLine]);
  const pid = child.pid ?? 0;
  return {
    pid,
    ended,
    allRead,
    input: child.stdin ?? undefined,
    signal(signal) {
      try {
        process.kill(-pid, signal);
      } catch {
        // ESRCH: it has ended already, and `ended` says so
      }
    },
  };
}

/** @param listeners from file descriptor 1 on */
function readLines({ stdio }: ChildProcess, listeners: readonly ((line: string) => void)[]): void {
  for (const [index, listener] of listeners.entries()) {
    const stream = stdio[index + 1];
    if (stream instanceof Readable) createInterface({ input: stream }).on('line', listener);
  }
}
