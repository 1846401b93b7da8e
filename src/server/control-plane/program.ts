import {
  commandLine,
  flagsOf,
  valueOf,
  type Flag,
  type FlagRules,
  type Flags,
} from '../../shared/arguments/arguments.ts';
import type { Component } from '../../shared/component/component.ts';
import { listeningAt } from '../../shared/listen/listen.ts';
import { childEnvironment, processComponent, type ProcessSpec, type Supervisor } from '../../shared/process/process.ts';
import type { Account } from './account.ts';

interface Program {
  readonly name: string;
  readonly after: readonly string[];
  readonly supervisor: Supervisor;
  readonly binDir: string;
  readonly flags: Flags;
  /** The operator's. */
  readonly theirs: readonly Flag[];
  readonly rules: FlagRules;
  /** What it reaches without a proxy. */
  readonly direct: readonly string[];
  readonly ready: (args: readonly string[]) => ProcessSpec['ready'];
  readonly live: (args: readonly string[]) => NonNullable<ProcessSpec['live']>;
  readonly account: Account;
  readonly stopTimeoutMs: number;
}

/** One of the control plane's programs as a component. */
export function programComponent(program: Program): Component {
  const { name, after, supervisor, binDir, flags, theirs, rules, direct, account, stopTimeoutMs } = program;
  const args = commandLine(flags, theirs, rules);
  const spec: ProcessSpec = {
    // Found from its own folder, so that the folders above may be closed to the user that it is.
    command: `./${name}`,
    cwd: binDir,
    args,
    env: childEnvironment(name, {
      path: binDir,
      direct,
      ...(account.folder !== undefined && { extra: { HOME: account.folder } }),
    }),
    ready: program.ready(args),
    live: program.live(args),
    stopTimeoutMs,
    backoff: { minMs: 200, maxMs: 10_000, stableAfterMs: 30_000 },
    securityContext: account.securityContext,
  };
  return processComponent({ name, after, supervisor, specify: () => Promise.resolve(spec) });
}

/** Where a program that has a port on this host answers, as its command line says. */
export function answersAt(args: readonly string[]): string {
  const flags = flagsOf(args);
  const host = listeningAt(valueOf(flags, 'bind-address') ?? '');
  return `https://${host.includes(':') ? `[${host}]` : host}:${valueOf(flags, 'secure-port')}`;
}
