import { isSea } from 'node:sea';
import { Option } from 'commander';
import type { Command } from 'commander';
import { hideSecrets, restoreSecrets } from '../shared/secret-arguments.ts';
import type { SecretFlag } from '../shared/secret-arguments.ts';

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
 * a process was started with for as long as it lives. So does one that has variables for other Node programs in its
 * environment: Node has acted on most of them before a script can take them away.
 * @param argv as they are now
 * @returns as they were given
 */
export function becomeClean(
  argv: readonly string[],
  flags: readonly SecretFlag[],
  env: Readonly<NodeJS.ProcessEnv>,
): readonly string[] {
  const { args, secrets } = hideSecrets(argv, flags);
  const isForNode = Object.keys(env).some(isNodeVariable);
  if (secrets.length === 0 && !isForNode) return restoreSecrets(argv, secretArguments(env));
  if (process.execve === undefined) throw new TypeError('this Node cannot replace its process'); // Windows alone
  const [, script = ''] = process.argv;
  const program = isSea() ? [] : [...process.execArgv, script];
  const clean = Object.fromEntries(Object.entries(env).filter(([name]) => !isNodeVariable(name)));
  const hidden = secrets.length === 0 ? {} : { [secretArgumentsVariable]: JSON.stringify(secrets) };
  return process.execve(process.execPath, [process.argv0, ...program, ...args], { ...clean, ...hidden });
}

/**
 * All that Node reads begins so: what is verified (`NODE_TLS_REJECT_UNAUTHORIZED`), who is believed
 * (`NODE_EXTRA_CA_CERTS`), what is written to a log (`NODE_DEBUG` shows headers, with tokens), what is loaded (`NODE_OPTIONS`).
 */
function isNodeVariable(name: string): boolean {
  return name.startsWith('NODE_');
}

/** What `becomeClean` left in an environment. */
export function secretArguments(env: Readonly<NodeJS.ProcessEnv>): readonly string[] {
  const text = env[secretArgumentsVariable];
  return text === undefined ? [] : (JSON.parse(text) as readonly string[]);
}
