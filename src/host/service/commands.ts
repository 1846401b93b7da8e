import { Command, InvalidArgumentError, Option } from 'commander';
import { takeSecrets } from '../../shared/secret-arguments.ts';
import type { SecretFlag } from '../../shared/secret-arguments.ts';
import { installService } from './install.ts';
import { hostAt } from './host.ts';
import { createServiceManager, detectServiceManager } from './managers.ts';
import { unitDirs } from './systemd.ts';
import type { Readiness, ServiceKind } from './types.ts';

export interface ServiceCommandOptions {
  /** The installed executable, unless `--executable` names another. */
  readonly executable: string;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** Whose values go to the environment file, and nowhere else. */
  readonly secretFlags: () => readonly SecretFlag[];
  readonly readiness: (signal: AbortSignal) => Promise<Readiness>;
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
}

interface Flags {
  readonly root: string;
  readonly manager?: ServiceKind;
  readonly systemdDir?: string;
  readonly name?: string;
  readonly executable: string;
  readonly enable: boolean;
  readonly start: boolean;
  readonly forceRestart: boolean;
  readonly timeout: number; // seconds
  readonly madeFolder: readonly string[];
  readonly installedPackage: readonly string[];
}

/** `kagent service …`: what install.sh calls once the executable is in its place. */
export function serviceCommand(options: ServiceCommandOptions): Command {
  const service = new Command('service').description('Run kagent as a service of this box');
  const common = (command: Command): Command =>
    command
      .addOption(new Option('--manager <kind>', 'instead of the one found').choices(['systemd', 'openrc', 'none']))
      .addOption(new Option('--root <folder>', 'instead of /').default('/').hideHelp())
      .addOption(new Option('--systemd-dir <folder>', 'where its unit goes').choices(unitDirs).default(unitDirs[0]))
      .option('--name <name>', "the service's name (kagent, or kagent-agent for an agent)")
      .addOption(new Option('--executable <path>', 'what the service runs').default(options.executable, 'this one'))
      .argument('[args...]', "after '--': server or agent, and its flags");
  const managerOf = (flags: Flags) => {
    const host = hostAt(flags.root);
    const kind = flags.manager ?? detectServiceManager(host);
    const { readiness } = options;
    return { host, manager: createServiceManager(kind, { host, readiness, unitDir: flags.systemdDir }) };
  };

  common(service.command('install').description('Write, enable and start the service, where that is not done already'))
    .option('--no-enable', 'do not start it at boot')
    .option('--no-start', 'write the files only')
    .option('--force-restart', 'restart it even if nothing has changed', false)
    .addOption(
      new Option('--timeout <seconds>', 'how long to wait for the node to be Ready').argParser(seconds).default(300),
    )
    .addOption(new Option('--made-folder <path...>', 'what install.sh made before').default([]).hideHelp())
    .addOption(new Option('--installed-package <name...>', 'what install.sh had installed').default([]).hideHelp())
    .action(async (args: string[], flags: Flags) => {
      await installService(
        {
          ...managerOf(flags),
          name: flags.name,
          executable: flags.executable,
          args,
          env: options.env,
          secretFlags: options.secretFlags(),
          skipEnable: !flags.enable,
          skipStart: !flags.start,
          forceRestart: flags.forceRestart,
          timeoutMs: flags.timeout * 1000,
          made: [
            ...flags.madeFolder.map((path) => ({ kind: 'folder', path }) as const),
            ...flags.installedPackage.map((name) => ({ kind: 'package', name }) as const),
          ],
          readiness: options.readiness,
          print: options.print,
        },
        options.signal,
      );
    });

  common(service.command('print').description("Print the unit or script that 'install' would write")).action(
    (args: string[], flags: Flags) => {
      const { manager } = managerOf(flags);
      const complete = args.length === 0 ? ['server'] : takeSecrets(args, options.secretFlags()).args;
      const { executable, name = 'kagent' } = flags;
      options.print(manager.text({ name, executable, args: complete }).trimEnd());
    },
  );
  return service;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('It must be a number of seconds such as 600.');
  return value;
}
