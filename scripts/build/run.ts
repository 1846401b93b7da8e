import { spawn } from 'node:child_process';

export interface RunOptions {
  readonly cwd?: string;
  /** On top of our own environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program and gives its output. Rejects with its last lines if it fails. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let complaints = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints = (complaints + text).slice(-20_000)));
  const code = await new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exit, signal) => resolve(exit ?? signal ?? 'unknown'));
  });
  if (code === 0) return output;
  const lines = `${complaints}\n${output.slice(-2000)}`.trim().split('\n').slice(-30);
  const tail = lines.map((line) => line.slice(0, 300)).join('\n');
  throw new Error(`${command} ${args.slice(0, 3).join(' ')}… ended with ${code}:\n${tail}`);
}
