/**
 * @module
 * The command line: flags out of a schema, wrong usage in one sentence, what a person at a terminal sees.
 * Knows: commander. Leaves to others: what commands do (server/, agent/), how values are merged (config/).
 */
export { settingsOfHost, type HostSettings, type HostSettingsOptions } from './host-settings.ts';
export { becomeBundledTool, commonCommands, versionText } from './commands.ts';
export { addSettings, usageExitCode } from './flags.ts';
export { foreground, type Foreground } from './foreground.ts';
export { configCommand, type ConfigMode } from './config-command.ts';
export { collected, duration, jsonOption, print } from './options.ts';
export { passedThrough } from './passthrough.ts';
export { becomeClean, secretArguments, secretFlagsOf, SecretOption } from './secret-flags.ts';
export { secretSetting } from './secret-setting.ts';
export { configFileOption, loadSettings, settingsCommand } from './settings-command.ts';
export { age, mebibytes, table } from './table.ts';
