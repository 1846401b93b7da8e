import { CommanderError, Option } from 'commander';
import type { Command } from 'commander';
import type * as z from 'zod';
import { wrongUsageExitCode } from '../shared/exit-codes.ts';
import { SecretOption } from './secret-flags.ts';
import { everySetting, unsupportedSettingsOf, settingsOf } from '../shared/config/config.ts';
import type { Said, Setting, Source } from '../shared/config/config.ts';

/** Adds a flag for each setting; lists may be given several times. */
export function addSettings(command: Command, schema: z.ZodObject): Command {
  for (const setting of settingsOf(schema)) command.addOption(optionOf(setting));
  for (const { key, short, description } of unsupportedSettingsOf(schema)) {
    const letter = short === undefined ? '' : `-${short}, `;
    command.addOption(new Option(`${letter}--${key} [value]`, description).preset('true').hideHelp());
  }
  return command;
}

/** The settings that were said by flags. */
export function flagSource(command: Command, schema: z.ZodObject): Source {
  const values: Record<string, unknown> = command.opts();
  const said = new Map<string, Said>();
  for (const { name, key } of everySetting(schema)) {
    const value = values[name];
    if (value !== undefined) said.set(name, { value, origin: `--${key}` });
  }
  return said;
}

function optionOf(setting: Setting): Option {
  const { key, kind, isSecret, description, defaultValue, short, choices } = setting;
  const letter = short === undefined ? '' : `-${short}, `;
  const isMany = kind === 'list' || kind === 'args';
  const hasDefault = defaultValue !== undefined && defaultValue !== false && !isMany;
  const about = `${description}${hasDefault ? ` (default ${JSON.stringify(defaultValue).replaceAll('"', '')})` : ''} [$${setting.variable}]`;
  const option = new (isSecret ? SecretOption : Option)(
    `${letter}--${key} ${kind === 'boolean' ? '[true|false]' : '<value>'}`,
    about,
  );
  if (choices.length > 0) option.argChoices = [...choices]; // shown and completed; the schema is what refuses others
  if (kind === 'boolean') return option.preset('true');
  if (!isMany) return option;
  const parts = (value: string) => (kind === 'list' ? value.split(',') : [value]);
  return option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), ...parts(value)]);
}

/** Exit code of what commander throws when told to throw: 0 for help and version, 2 for wrong usage. */
export function usageExitCode(error: unknown): number | undefined {
  if (!(error instanceof CommanderError)) return undefined;
  return error.exitCode === 0 ? 0 : wrongUsageExitCode;
}
