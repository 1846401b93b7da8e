import { isSea } from 'node:sea';
import { Option, type Command } from 'commander';
import { hideSecrets, restoreSecrets, type SecretFlag } from '../secret-arguments.ts';

/** One whose value is a secret. */
export class SecretOption extends Option {}

/** Of a command and all below it. */
export function secretFlagsOf(command: Command): readonly SecretFlag[] {
  const own = command.options.flatMap((option) =>
    option instanceof SecretOption && option.long !== undefined ? [{ long: option.long, short: option.short }] : [],
  );
  const all = [...own, ...command.commands.flatMap(secretFlagsOf)];
  return [...new Map(all.map((flag) => [flag.long, flag])).values()];
}

/** Has the secrets of this process's arguments, in their order: only root and the process's own user read an environment. */
export const secretArgumentsVariable = '_KAGENT_SECRET_ARGUMENTS';

/**
 * A process that has a secret among its arguments becomes, with the same pid, one that has none: the kernel shows what
 * a process was started with for as long as it lives.
 * @param argv as they are now
 * @returns as they were given
 */
export function hideSecretArguments(
  argv: readonly string[],
  flags: readonly SecretFlag[],
  env: Readonly<NodeJS.ProcessEnv>,
): readonly string[] {
  const { args, secrets } = hideSecrets(argv, flags);
  if (secrets.length === 0) return restoreSecrets(argv, secretArguments(env));
  if (process.execve === undefined) throw new TypeError('this Node cannot replace its process'); // Windows alone
  const [, script = ''] = process.argv;
  const program = isSea() ? [] : [...process.execArgv, script];
  const hidden = { ...env, [secretArgumentsVariable]: JSON.stringify(secrets) };
  return process.execve(process.execPath, [process.argv0, ...program, ...args], hidden);
}

/** What `hideSecretArguments` left in an environment. */
export function secretArguments(env: Readonly<NodeJS.ProcessEnv>): readonly string[] {
  const text = env[secretArgumentsVariable];
  return text === undefined ? [] : (JSON.parse(text) as readonly string[]);
}
