import { existsSync } from 'node:fs';
import { Argument, Command } from 'commander';
import { stringify } from 'yaml';
import type * as z from 'zod';
import { fileSource, unsupportedSettingsOf, loadConfig, settingsOf } from '../shared/config/config.ts';
import type { Setting, Source } from '../shared/config/config.ts';
import { jsonOption, print } from './options.ts';
import { hostSources, configFileOption, defaultConfigFile } from './settings-command.ts';
import { table } from './table.ts';

/** A mode and its settings: `server`, `agent`. */
export interface ConfigMode {
  readonly name: string;
  readonly schema: z.ZodObject;
}

/** `kagent config show|validate|default`: what would apply, whether a file is sound, and what there is to set. */
export function configCommand(modes: readonly ConfigMode[], env: Readonly<NodeJS.ProcessEnv> = process.env): Command {
  const config = new Command('config').description('Show and check the settings of a server or an agent');
  const known = modes.map(({ schema }) => schema);
  const modeOf = (name: string) => modes.find((mode) => mode.name === name)?.schema ?? known[0];
  const modeArgument = () =>
    new Argument('[mode]', 'whose settings').choices(modes.map(({ name }) => name)).default(modes[0]?.name);

  config
    .command('show')
    .description('Print the settings that apply, and where each was set: file, environment or default')
    .addArgument(modeArgument())
    .addOption(configFileOption())
    .addOption(jsonOption())
    .action((mode: string, flags: { readonly output?: string }, command: Command) => {
      const schema = modeOf(mode);
      if (schema === undefined) return;
      const { config: values, origins } = loadConfig(schema, hostSources({ command, schema, known, env }));
      const rows = settingsOf(schema).map((setting) => ({
        key: setting.key,
        value: shown(setting, (values as Readonly<Record<string, unknown>>)[setting.name]),
        origin: origins.get(setting.name) ?? 'default',
      }));
      if (flags.output === 'json') return print(JSON.stringify({ mode, settings: rows }, null, 2));
      print(table([['KEY', 'VALUE', 'FROM'], ...rows.map(({ key, value, origin }) => [key, textOf(value), origin])]));
    });

  config
    .command('validate')
    .description('Check a configuration file for every mode; exit code 2 if it is not valid')
    .argument('[file]', `the file (default ${defaultConfigFile})`)
    .action((file: string | undefined) => {
      const path = file ?? env['KAGENT_CONFIG_FILE'] ?? defaultConfigFile;
      for (const schema of known) {
        const source = fileSource({ schema, known, path, required: file !== undefined });
        loadConfig(schema, [withoutOtherModes(source, schema, known)]);
      }
      print(existsSync(path) ? `${path} is sound` : `there is no ${path}: the defaults apply`);
    });

  config
    .command('default')
    .description('Print a configuration file with every setting, its default and what it is for, all commented out')
    .addArgument(modeArgument())
    .action((mode: string) => {
      const schema = modeOf(mode);
      if (schema === undefined) return;
      print(settingsOf(schema).map(commented).join('\n\n'));
    });
  return config;
}

/** What one mode refuses and another one has may be meant for that one. */
function withoutOtherModes(source: Source, schema: z.ZodObject, known: readonly z.ZodObject[]): Source {
  const elsewhere = new Set(known.flatMap((one) => settingsOf(one).map(({ name }) => name)));
  const dropped = new Set(unsupportedSettingsOf(schema).flatMap(({ name }) => (elsewhere.has(name) ? [name] : [])));
  return new Map([...source].filter(([name]) => !dropped.has(name)));
}

function shown({ isSecret }: Setting, value: unknown): unknown {
  return isSecret && value !== undefined ? '[redacted]' : value;
}

function textOf(value: unknown): string {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return '-';
  if (Array.isArray(value)) return value.join(', ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function commented({ key, description, defaultValue }: Setting): string {
  const value = defaultValue === undefined ? `${key}:` : stringify({ [key]: defaultValue }).trimEnd();
  return `# ${description}\n${value.replaceAll(/^/gm, '#')}`;
}
