import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { runToEnd } from '../run.ts';
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

/** A service manager waits for what it starts. */
const timeoutMs = 600_000;

export function hostAt(root: string): ServiceHost {
  return {
    path: (absolute) => (root === '/' ? absolute : join(root, absolute)),
    async run(command, args) {
      const { code, stdout, stderr } = await runToEnd(command, args, { timeoutMs });
      return { code, output: `${stdout}${stderr}` };
    },
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
