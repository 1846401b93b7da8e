import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { SecurityContext } from './types.ts';

/**
 * The words before a child's command that take its rights away and have the kernel kill it when kagent dies; none on a host
 * without `setpriv` of util-linux, where the next start's sweep is what is left.
 */
export function launchedWith(context: SecurityContext = { allowPrivilegeEscalation: false }): readonly string[] {
  const setpriv = findSetpriv();
  return setpriv === undefined ? [] : [setpriv, ...setprivArguments(context), '--pdeathsig', 'KILL', '--'];
}

export function setprivArguments(context: SecurityContext): readonly string[] {
  const { runAsUser, addCapabilities = [], allowPrivilegeEscalation } = context;
  const nnp = allowPrivilegeEscalation ? [] : ['--no-new-privs'];
  if (runAsUser === undefined) return nnp;
  const capabilities = ['-all', ...addCapabilities.map((name) => `+${name}`)].join(',');
  return [
    ...nnp,
    `--reuid=${runAsUser}`,
    `--regid=${runAsUser}`,
    '--clear-groups',
    `--bounding-set=${capabilities}`,
    `--inh-caps=${capabilities}`,
    ...(addCapabilities.length === 0 ? [] : [`--ambient-caps=${capabilities}`]),
  ];
}

/** Tried, since a user namespace, a capability that root lacks or a filter of system calls may forbid it. @returns why not */
export function whyNotAsUser(context: SecurityContext): string | undefined {
  const setpriv = findSetpriv();
  if (setpriv === undefined) return 'this host has no setpriv of util-linux';
  const { status, stderr, error } = spawnSync(setpriv, [...setprivArguments(context), '--', '/bin/true'], {
    encoding: 'utf8',
    timeout: 5000,
  });
  return status === 0 ? undefined : `a child cannot be another user here: ${error?.message ?? stderr.trim()}`;
}

/** busybox has one of that name that can do little of it. */
function findSetpriv(): string | undefined {
  const found = (process.env['PATH'] ?? '/usr/bin:/bin')
    .split(delimiter)
    .map((dir) => join(dir, 'setpriv'))
    .find((path) => existsSync(path));
  return found === undefined || realpathSync(found).endsWith('busybox') ? undefined : found;
}
