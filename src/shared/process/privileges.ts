import { existsSync, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { readFileIfExists } from '../files/files.ts';
import type { SecurityContext } from './process.ts';

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

/** @returns why not, if a child cannot be this user here */
export function canRunAsUser(uid: number): { readonly reason?: string } {
  if (findSetpriv() === undefined) return { reason: 'this host has no setpriv of util-linux' };
  return isMapped(uid, readFileIfExists('/proc/self/uid_map')) && isMapped(uid, readFileIfExists('/proc/self/gid_map'))
    ? {}
    : { reason: `the user namespace of this host has no user ${uid}` };
}

/** @param map of user_namespaces(7): lines of first id inside, first id outside, length */
export function isMapped(id: number, map: string | undefined): boolean {
  if (map === undefined) return true; // a kernel without user namespaces
  return map
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .some(([first = 0, , length = 0]) => id >= first && id < first + length);
}

/** busybox has one of that name that can do little of it. */
function findSetpriv(): string | undefined {
  const found = (process.env['PATH'] ?? '/usr/bin:/bin')
    .split(delimiter)
    .map((dir) => join(dir, 'setpriv'))
    .find((path) => existsSync(path));
  return found === undefined || realpathSync(found).endsWith('busybox') ? undefined : found;
}
