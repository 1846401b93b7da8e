import { CommandFailedError, runToEnd } from '../host/run.ts';

export interface CommandLine {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** @returns stdout and, after it, stderr; what there is beyond `maxBytes` is cut off @throws {CommandFailedError} */
export async function outputOf(
  { command, args, env }: CommandLine,
  limits: { readonly timeoutMs: number; readonly maxBytes: number },
): Promise<string> {
  const ended = await runToEnd(command, args, { ...limits, env: { ...process.env, ...env } });
  const { stdout, stderr, reason, isCut } = ended;
  if (reason !== undefined && !isCut) throw new CommandFailedError([command, ...args], ended);
  return stdout + (stderr === '' ? '' : `\n${stderr}`);
}
