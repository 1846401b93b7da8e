import { serviceVariable } from './definition.ts';
import { EnvironmentValueError } from './errors.ts';
import { notifyVariables } from './notify.ts';
import { shellQuote } from './quote.ts';
import { serviceLogVariable } from './service-log.ts';

const kept = /^(KAGENT_\w+|CONTAINERD_\w+|(https?|no)_proxy|(HTTPS?|NO)_PROXY)$/;
const notKept: ReadonlySet<string> = new Set([notifyVariables.daemonize, serviceLogVariable, serviceVariable]);

/**
 * The environment file's new text: what it had, and over it what the installer's own environment says. An empty
 * variable takes its line away. The file is read by systemd and by shells, so a value is quoted as both understand.
 */
export function mergeEnvironment(before: string, env: Readonly<NodeJS.ProcessEnv>): string {
  const lines = new Map<string, string>();
  for (const line of before.split('\n')) if (line.trim() !== '') lines.set(line.split('=', 1)[0] ?? '', line);
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !kept.test(name) || notKept.has(name)) continue;
    if (value.includes('\n')) throw new EnvironmentValueError(name);
    if (value === '') lines.delete(name);
    else lines.set(name, `${name}=${shellQuote(value)}`);
  }
  return [...lines.values()].map((line) => `${line}\n`).join('');
}
