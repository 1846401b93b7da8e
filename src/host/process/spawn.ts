import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { launchedWith } from './privileges.ts';
import type { ProcessSpec } from './types.ts';

/** How a life ended, in words: `exit code 1`, `signal SIGKILL`. */
export type Ending = string;

export interface Life {
  readonly pid: number;
  readonly ended: Promise<Ending>;
  /** To the whole process group. */
  signal(signal: NodeJS.Signals): void;
}

export interface SpawnOptions {
  /** Folders of cgroups the child is in from its first instruction on. */
  readonly cgroups: readonly string[];
  readonly onLine: (line: string) => void;
}

/**
 * Starts the child in its own process group and cgroups; the kernel kills it when kagent dies.
 * A shell does the first steps because Node can do neither between fork and exec; it is replaced by the child.
 * @throws Node's system error if the shell cannot be started
 */
export async function spawnChild(spec: ProcessSpec, options: SpawnOptions): Promise<Life> {
  const launcher = 'for c in $KAGENT_CGROUPS; do echo $$ >"$c/cgroup.procs"; done; unset KAGENT_CGROUPS; exec "$@"';
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(
    '/bin/sh',
    ['-c', launcher, 'sh', ...launchedWith(spec.securityContext), spec.command, ...spec.args],
    {
      env: { ...spec.env, KAGENT_CGROUPS: options.cgroups.join(' ') },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(spec.cwd !== undefined && { cwd: spec.cwd }),
      detached: true, // a process group of its own
    },
  );
  const ended = new Promise<Ending>((resolve) => {
    // 'close' would wait for grandchildren that hold the pipes, such as containers' shims.
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', options.onLine);
  const pid = child.pid ?? 0;
  return {
    pid,
    ended,
    signal(signal) {
      try {
        process.kill(-pid, signal);
      } catch {
        // ESRCH: it has ended already, and `ended` says so
      }
    },
  };
}
