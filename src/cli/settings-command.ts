import { Command, Option } from 'commander';
import type * as z from 'zod';
import { environmentSource, fileSource, loadConfig } from '../shared/config/config.ts';
import type { Loaded, Source } from '../shared/config/config.ts';
import { configDir, pathsOf } from '../shared/paths.ts';
import { addDaemonize, daemonized } from './daemonized.ts';
import { addSettings, flagSource } from './flags.ts';

export const defaultConfigFile = `${configDir}/config.yaml`;

export function configFileOption(): Option {
  return new Option('-c, --config <file>', `configuration file (default ${defaultConfigFile}) [$KAGENT_CONFIG_FILE]`);
}

/** A command that runs for long, whose settings come from flags, environment and config.yaml. */
export function settingsCommand<Schema extends z.ZodObject>(options: {
  readonly name: string;
  readonly description: string;
  /** Has `dataDir`. */
  readonly schema: Schema;
  /** Schemas of all modes, which share one file. */
  readonly known: readonly z.ZodObject[];
  readonly run: (config: Readonly<z.infer<Schema>>, command: Command) => Promise<void>;
}): Command {
  const { name, description, schema, known, run } = options;
  const command = new Command(name).description(description).allowExcessArguments(false).addOption(configFileOption());
  return addDaemonize(addSettings(command, schema)).action(async () => {
    const { config } = loadSettings({ command, schema, known, env: process.env });
    const { dataDir } = config as Readonly<Record<string, unknown>>;
    if (!(await daemonized(command, pathsOf(String(dataDir))))) await run(config, command);
  });
}

/** defaults < file < environment < flags */
export function loadSettings<Schema extends z.ZodObject>(options: {
  readonly command: Command;
  readonly schema: Schema;
  readonly known: readonly z.ZodObject[];
  readonly env: Readonly<NodeJS.ProcessEnv>;
}): Loaded<Readonly<z.infer<Schema>>> {
  const { command, schema, known, env } = options;
  return loadConfig(schema, [...hostSources({ command, schema, known, env }), flagSource(command, schema)]);
}

/** What is said on this box without flags: the file that `command` names, or the usual one, and the environment. */
export function hostSources(options: {
  readonly command: Command;
  readonly schema: z.ZodObject;
  readonly known: readonly z.ZodObject[];
  readonly env: Readonly<NodeJS.ProcessEnv>;
}): readonly Source[] {
  const { command, schema, known, env } = options;
  const asked = command.opts<{ readonly config?: string }>().config ?? env['KAGENT_CONFIG_FILE'];
  return [
    fileSource({ schema, known, path: asked ?? defaultConfigFile, required: asked !== undefined }),
    environmentSource(schema, env),
  ];
}
