import { execFile } from 'node:child_process';

export interface CommandLine {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export class CommandFailedError extends Error {
  readonly stdout: string;
  readonly stderr: string;
  constructor(line: string, reason: string, said: { readonly stdout: string; readonly stderr: string }) {
    super(`${line}: ${reason}`);
    this.stdout = said.stdout;
    this.stderr = said.stderr;
  }
}

/** @returns stdout and, after it, stderr; what there is beyond `maxBytes` is cut off */
export function run(
  { command, args, env }: CommandLine,
  limits: { readonly timeoutMs: number; readonly maxBytes: number },
) {
  const { timeoutMs, maxBytes } = limits;
  return new Promise<string>((resolve, reject) => {
    const options = {
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      maxBuffer: maxBytes,
      env: { ...process.env, ...env },
    } as const;
    execFile(command, [...args], options, (error, stdout, stderr) => {
      const isCut = error?.code === ('ERR_CHILD_PROCESS_STDIO_MAXBUFFER' as unknown);
      if (error === null || isCut) return resolve(stdout + (stderr === '' ? '' : `\n${stderr}`));
      const said = stderr.trim().split('\n').at(-1) ?? '';
      const reason = error.killed ? `no end within ${timeoutMs / 1000} s` : said === '' ? error.message : said;
      reject(new CommandFailedError([command, ...args].join(' '), reason, { stdout, stderr }));
    });
  });
}
