import { commandLine, flagsOf, valueOf } from '../../shared/arguments/arguments.ts';
import type { Flag, FlagRules, Flags } from '../../shared/arguments/arguments.ts';
import type { Component, ComponentName } from '../../shared/component/component.ts';
import { listeningAt } from '../../shared/listen/listen.ts';
import { childEnvironment, controlPlaneProcess, processComponent } from '../../host/process/process.ts';
import type { ProcessSpec, Supervisor } from '../../host/process/process.ts';
import type { TrustBundle } from '../pki/pki.ts';
import type { Account } from './account.ts';
import { answers, answersOk } from './readiness.ts';
import type { Question } from './readiness.ts';
import { urlHost } from '../../shared/url-host.ts';

interface Program {
  readonly name: ComponentName;
  readonly after: readonly ComponentName[];
  readonly supervisor: Supervisor;
  readonly binDir: string;
  readonly flags: Flags;
  /** The operator's. */
  readonly theirs: readonly Flag[];
  readonly rules: FlagRules;
  /** What it reaches without a proxy. */
  readonly direct: readonly string[];
  /** How it says that it is ready, and later that it still is. */
  readonly question: (args: readonly string[]) => Question;
  readonly account: Account;
  readonly stopTimeoutMs: number;
}

/** One of the control plane's programs as a component. */
export function programComponent(program: Program): Component {
  const { name, after, supervisor, binDir, flags, theirs, rules, direct, account, stopTimeoutMs } = program;
  const args = commandLine(flags, theirs, rules);
  const question = program.question(args);
  // When the process starts anew, the others come after kube-apiserver again.
  const partOf = {
    process: controlPlaneProcess,
    after: after.filter((one) => controlPlaneProcess.parts.includes(one)),
  };
  const spec: ProcessSpec = {
    ...(account.isShared && { partOf }),
    // Found from its own folder, so that the folders above may be closed to the user that it is.
    command: `./${name}`,
    cwd: binDir,
    args,
    env: childEnvironment(account.isShared ? controlPlaneProcess.name : name, {
      path: binDir,
      direct,
      ...(account.folder !== undefined && { extra: { HOME: account.folder } }),
    }),
    ready: answersOk(question),
    live: answers(question),
    stopTimeoutMs,
    backoff: { minMs: 200, maxMs: 10_000, stableAfterMs: 30_000 },
    securityContext: account.securityContext,
  };
  return processComponent({ name, after, supervisor, specify: () => Promise.resolve(spec) });
}

/** Of a program that has a port on this host alone: asked where its command line says. @param ca of its serving certificate */
export function askedHere(path: '/healthz' | '/livez' | '/readyz', trust: TrustBundle): Program['question'] {
  return (args) => {
    const flags = flagsOf(args);
    const host = listeningAt(valueOf(flags, 'bind-address') ?? '');
    const url = `https://${urlHost(host)}:${valueOf(flags, 'secure-port')}${path}`;
    return { url, ca: () => trust.pem, servername: 'localhost' };
  };
}
