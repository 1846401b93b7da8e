import { childEnvironment } from '../../shared/process/process.ts';
import type { Component } from '../../shared/component/component.ts';
import { processComponent, type ProcessSpec, type Supervisor } from '../../shared/process/process.ts';
import type { Account } from './account.ts';
import { commandLine, type Flags } from './arguments.ts';

interface Program {
  readonly name: string;
  readonly after: readonly string[];
  readonly supervisor: Supervisor;
  readonly binDir: string;
  readonly flags: Flags;
  readonly extraArgs: readonly string[];
  readonly ready: ProcessSpec['ready'];
  readonly live: NonNullable<ProcessSpec['live']>;
  readonly account: Account;
  readonly stopTimeoutMs: number;
}

/** One of the control plane's programs as a component. */
export function programComponent(program: Program): Component {
  const { name, after, supervisor, binDir, flags, extraArgs, ready, live, account, stopTimeoutMs } = program;
  const spec: ProcessSpec = {
    // Found from its own folder, so that the folders above may be closed to the user that it is.
    command: `./${name}`,
    cwd: binDir,
    args: commandLine(flags, extraArgs),
    env: childEnvironment(name, {
      path: binDir,
      ...(account.folder !== undefined && { extra: { HOME: account.folder } }),
    }),
    ready,
    live,
    stopTimeoutMs,
    backoff: { minMs: 200, maxMs: 10_000, stableAfterMs: 30_000 },
    securityContext: account.securityContext,
  };
  return processComponent({ name, after, supervisor, specify: () => Promise.resolve(spec) });
}
