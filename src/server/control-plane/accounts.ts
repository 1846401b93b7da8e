import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { flagsOf, processWideFlag } from '../../shared/arguments/arguments.ts';
import { runDir as usualRunDir } from '../../shared/paths.ts';
import { controlPlaneProcess } from '../../host/process/process.ts';
import { openAccount, reasonInArguments } from './account.ts';
import type { AccountOptions } from './account.ts';
import type { Accounts, ControlPlaneOptions } from './types.ts';

type ProgramName = keyof Accounts;

const unprivileged = 1024;
const programs: readonly ProgramName[] = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];

/**
 * Which user each program is, and which of them are parts of one process: known before the datastore and the tunnel listen, since
 * their sockets are for one of them. A program that has to be root, or to which the operator gives what its whole process would
 * get, is a process and a user of its own.
 */
export function openAccounts(
  options: Pick<ControlPlaneOptions, 'extraArgs' | 'securePort'> & {
    readonly runDir?: string;
    /** Whoever loses its lease ends its process, and would take the others along. */
    readonly haveLeases?: boolean;
    /** Where kube-apiserver writes its audit log. */
    readonly auditDir?: string | undefined;
  },
): Accounts {
  const { runDir = usualRunDir, haveLeases = false } = options;
  for (const name of [...programs, controlPlaneProcess.name])
    // of an earlier start, or version, which may have given more
    rmSync(join(runDir, name), { recursive: true, force: true });
  const wanted = wantedAccounts({ ...options, runDir });
  const canShare = haveLeases
    ? []
    : programs.filter((name) => processWideFlag(flagsOf(wanted[name].extraArgs)) === undefined);
  const first = canShare.find((name) => reasonInArguments(wanted[name]) === undefined);
  // What was opened to a program's own user may be closed to the first one's.
  const sharing = canShare.filter(
    (name) => first !== undefined && reasonInArguments({ ...wanted[name], program: first }) === undefined,
  );
  const shared =
    first === undefined || sharing.length === 1
      ? undefined
      : openAccount({ ...wanted[first], process: controlPlaneProcess.name });
  const accountOf = (name: ProgramName) =>
    shared !== undefined && sharing.includes(name) ? shared : openAccount(wanted[name]);
  return {
    'kube-apiserver': accountOf('kube-apiserver'),
    'kube-controller-manager': accountOf('kube-controller-manager'),
    'kube-scheduler': accountOf('kube-scheduler'),
  };
}

function wantedAccounts({
  extraArgs,
  securePort,
  auditDir,
  runDir,
}: Parameters<typeof openAccounts>[0] & { readonly runDir: string }): Readonly<Record<ProgramName, AccountOptions>> {
  return {
    'kube-apiserver': {
      runDir,
      program: 'kube-apiserver',
      extraArgs: extraArgs.apiserver.filter((arg) => !/^-*oidc[-_]ca/.test(arg)), // read by kagent
      ownDir: auditDir,
      port: securePort,
    },
    'kube-controller-manager': {
      runDir,
      program: 'kube-controller-manager',
      extraArgs: extraArgs.controllerManager,
      port: unprivileged,
    },
    'kube-scheduler': {
      runDir,
      program: 'kube-scheduler',
      extraArgs: extraArgs.scheduler,
      port: unprivileged,
    },
  };
}
