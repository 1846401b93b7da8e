/** lab.sh, which travels inside the executable, run for one lab. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { readEmbedded } from '../host/assets/assets.ts';
import { runToEnd } from '../host/run.ts';
import { LabFailedError } from './errors.ts';
import { inEnvironment, labNet, sharedDir } from './hosts.ts';
import type { LabHost, LabRecord } from './hosts.ts';
import { searchPath } from './tools.ts';

export type HostState = 'on' | 'off' | 'frozen' | 'unplugged';

export interface RunOptions {
  /** Told of each line of stdout. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface LabScript {
  /** A command of lab.sh, to its end. @returns stdout @throws {LabFailedError} with what it wrote on stderr */
  run(args: readonly string[], options?: RunOptions): Promise<string>;
  /** The same for a command inside a host. */
  inHost(host: LabHost, command: readonly string[], options?: RunOptions): Promise<string>;
  state(host: LabHost): Promise<HostState>;
  /** A command inside a host with this process's stdin, stdout and stderr. @returns its exit code, as shells count */
  attached(host: LabHost, command: readonly string[]): Promise<number>;
}

export function labScript(lab: LabRecord): LabScript {
  const script = readEmbedded('lab/lab.sh').toString('utf8');
  const argv = (args: readonly string[]) => ['-c', script, 'lab.sh', ...args];
  const env = {
    ...process.env,
    PATH: searchPath(process.env['PATH'] ?? ''),
    LAB: lab.dir,
    LAB_PREFIX: `kagent-${lab.name}`,
    LAB_NET: labNet,
    LAB_SHARE: sharedDir(lab),
  };
  const inHostArgs = (host: LabHost, command: readonly string[]) => [
    'exec',
    host.name,
    ...inEnvironment(command, process.env),
  ];

  const run = async (what: string, args: readonly string[], { onLine, signal }: RunOptions = {}) => {
    // Ctrl-C is for this process, which then ends things in their order.
    const { code, stdout, stderr } = await runToEnd('bash', argv(args), { env, ownSession: true, onLine, signal });
    signal?.throwIfAborted();
    if (code !== 0) throw new LabFailedError(what, sentence(stderr) || `it ended with ${code}`);
    return stdout;
  };
  return {
    run: (args, options) => run(args.join(' '), args, options),
    inHost: (host, command, options) => run(host.name, inHostArgs(host, command), options),
    state: async (host) => (await run(host.name, ['state', host.name])).trim() as HostState,
    // Not process.execve: Node has made pipes non-blocking, which spawn undoes for the child and most programs need.
    async attached(host, command) {
      const child = spawn('bash', argv(inHostArgs(host, command)), { env, stdio: 'inherit' });
      process.on('SIGINT', () => {}); // from a terminal it has reached the command too, whose answer it is
      process.on('SIGTERM', () => void child.kill('SIGTERM'));
      const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
      return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
    },
  };
}

/** Without the name of who says it: `kagent: the port …`. */
function sentence(stderr: string): string {
  return stderr.trim().replaceAll(/^(kagent|lab\.sh): /gm, '');
}
