import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ServiceManagerError } from './errors.ts';

export interface CommandResult {
  readonly code: number;
  readonly output: string; // stdout, then stderr
}

/** The box whose services are managed; a test passes another root and its own commands. */
export interface ServiceHost {
  /** An absolute path as it is seen from here. */
  path(absolute: string): string;
  /** A command that is not there ends with code 127, as in a shell. */
  run(command: string, args: readonly string[]): Promise<CommandResult>;
  /** Starts a command that waits for the end of this process, and so is not waited for itself. */
  launch(command: string, args: readonly string[]): void;
}

export function hostAt(root: string): ServiceHost {
  return {
    path: (absolute) => (root === '/' ? absolute : join(root, absolute)),
    run: (command, args) =>
      new Promise((resolve) => {
        execFile(command, [...args], { timeout: 600_000 }, (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 127;
          resolve({ code, output: `${stdout}${stderr}` });
        });
      }),
    launch(command, args) {
      const env = { PATH: process.env['PATH'] };
      spawn(command, [...args], { detached: true, stdio: 'ignore', cwd: '/', env })
        .on('error', () => {}) // it is not there: nothing is
        .unref();
    },
  };
}

/** @throws {ServiceManagerError} unless the command ends with code 0 */
export async function must(host: ServiceHost, command: string, ...args: readonly string[]): Promise<string> {
  const { code, output } = await host.run(command, args);
  if (code !== 0) throw new ServiceManagerError([command, ...args].join(' '), output || `exit code ${code}`);
  return output;
}

/**
 * Runs a command as a boot does, without this process's environment. Its stdout lines are news for a person; ended by
 * `signal`, it has no code.
 * @returns the last lines of its stderr
 */
export function runCommandLines(
  command: string,
  args: readonly string[],
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<{ readonly code: number | undefined; readonly lastLines: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { stdio: ['ignore', 'pipe', 'pipe'], env: {} });
    const stop = () => void child.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    createInterface({ input: child.stdout }).on('line', onLine);
    const errorLines: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => {
      errorLines.push(line);
      if (errorLines.length > 12) errorLines.shift();
    });
    child.once('error', reject);
    child.once('close', (code) => {
      signal.removeEventListener('abort', stop);
      resolve({ code: signal.aborted ? undefined : (code ?? 1), lastLines: errorLines.join('\n') });
    });
  });
}
