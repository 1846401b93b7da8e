import { serviceVariable } from './definition.ts';
import { EnvironmentValueError } from './errors.ts';
import { notifyVariables } from './notify.ts';
import { controlCharacter, environmentQuote, shellQuote, shellWords } from './quote.ts';
import { serviceLogVariable } from './service-log.ts';

const kept = /^(KAGENT_\w+|CONTAINERD_\w+|(https?|no)_proxy|(HTTPS?|NO)_PROXY)$/;
const notKept: ReadonlySet<string> = new Set([notifyVariables.daemonize, serviceLogVariable, serviceVariable]);

/**
 * The environment file's new text: what it had, and over it what the installer's own environment says. An empty
 * variable takes its line away. The file is read by systemd and by shells, so a value is quoted as both understand.
 * @throws {EnvironmentValueError}
 */
export function mergeEnvironment(before: string, env: Readonly<NodeJS.ProcessEnv>): string {
  const lines = new Map<string, string>();
  for (const line of before.split('\n')) {
    if (line.trim() !== '') lines.set(line.split('=', 1)[0] ?? '', requoted(line));
  }
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !kept.test(name) || notKept.has(name)) continue;
    if (controlCharacter.test(value)) throw new EnvironmentValueError(name);
    if (value === '') lines.delete(name);
    else lines.set(name, `${name}=${environmentQuote(value)}`);
  }
  return [...lines.values()].map((line) => `${line}\n`).join('');
}

/** A line of an earlier kagent's, whose value has a quote: what a shell made of it was meant, and systemd read another. */
function requoted(line: string): string {
  const [, name = '', quoted = ''] = /^(\w+)=(.*)$/.exec(line) ?? [];
  const [value = ''] = shellWords(quoted);
  return value.includes("'") && quoted === shellQuote(value) ? `${name}=${environmentQuote(value)}` : line;
}
