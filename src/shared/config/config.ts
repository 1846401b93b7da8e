/**
 * @module
 * One schema per mode gives flags, environment, file keys and help; one value each: defaults < file < environment < flags.
 * Knows: where a value came from, how each source spells it. Leaves to others: what the settings mean (server/, agent/).
 */
import type * as z from 'zod';
import { ForeignSettingError, InvalidSettingError } from './errors.ts';
import { everySetting, foreignSettingsOf, type Setting } from './setting.ts';

/** A raw value and where it was said: `--node-name`, `KAGENT_NODE_NAME`, `/etc/kagent/config.yaml line 3`. */
export interface Said {
  readonly value: unknown;
  readonly origin: string;
}
/** By the setting's name in the schema: `nodeName`. */
export type Source = ReadonlyMap<string, Said>;

export interface Loaded<T> {
  readonly config: T;
  /** Where each setting's value came from; a setting that is not here has its default. */
  readonly origins: ReadonlyMap<string, string>;
}

/**
 * @param sources weakest first
 * @throws {InvalidSettingError} names the value, where it was said and what is allowed
 * @throws {ForeignSettingError} for a setting of k3s that is not here
 */
export function loadConfig<Schema extends z.ZodObject>(
  schema: Schema,
  sources: readonly Source[],
): Loaded<Readonly<z.infer<Schema>>> {
  const said = new Map<string, Said>();
  for (const source of sources) for (const [name, value] of source) said.set(name, value);
  refuseForeign(schema, said);
  const settings = new Map(everySetting(schema).map((setting) => [setting.name, setting]));
  const raw = Object.fromEntries([...said].map(([name, { value }]) => [name, toKind(settings.get(name), value)]));
  const parsed = schema.safeParse(raw);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const name = String(issue?.path[0] ?? '');
    throw new InvalidSettingError(settings.get(name)?.key ?? name, said.get(name), issue?.message ?? 'invalid');
  }
  return { config: parsed.data, origins: new Map([...said].map(([name, { origin }]) => [name, origin])) };
}

/** `KAGENT_CLUSTER_CIDR`; lists separated by commas. Variables that no setting has are left to their owners. */
export function environmentSource(schema: z.ZodObject, env: Readonly<NodeJS.ProcessEnv>): Source {
  const said = new Map<string, Said>();
  for (const { name, variable } of everySetting(schema)) {
    const value = env[variable];
    if (value !== undefined && value !== '') said.set(name, { value, origin: variable });
  }
  return said;
}

/** Takes away what asks for what is the case anyway. @throws {ForeignSettingError} for anything else */
function refuseForeign(schema: z.ZodObject, said: Map<string, Said>): void {
  for (const { name, key, description, accepts } of foreignSettingsOf(schema)) {
    const { value, origin } = said.get(name) ?? { value: undefined, origin: '' };
    said.delete(name);
    const isFine =
      value === undefined ||
      value === null ||
      ['', 'false', ...accepts].includes(JSON.stringify(value).replaceAll('"', ''));
    if (!isFine) throw new ForeignSettingError(key, origin, description);
  }
}

/** Texts, as flags and variables give them, in the setting's kind; what does not fit stays for the schema to refuse. */
function toKind(setting: Setting | undefined, value: unknown): unknown {
  switch (setting?.kind) {
    case 'list':
      return Array.isArray(value) ? value.map(String) : String(value).split(',');
    case 'args':
      return Array.isArray(value) ? value.map(String) : [String(value)];
    case 'number':
      return typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
    case 'boolean':
      return value === 'true' || value === '1' ? true : value === 'false' || value === '0' ? false : value;
    case 'text':
      return typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
    case undefined:
      return value;
  }
}

export * as kinds from './types.ts';
export { everySetting, foreignSettingsOf, settingsOf, type ForeignSetting, type Setting } from './setting.ts';
export { fileSource } from './file.ts';
export { parseYaml, readConfigText, type YamlFile } from './yaml.ts';
export { ForeignSettingError, InvalidSettingError, nearest, UnknownKeyError, UnreadableConfigError } from './errors.ts';
