/**
 * @module
 * One schema per mode gives flags, environment, file keys and help; one value each: defaults < file < environment < flags.
 * Knows: where a value came from, how each source spells it. Leaves to others: what the settings mean (server/, agent/).
 */
import type * as z from 'zod';
import { UnsupportedSettingError, InvalidSettingError } from './errors.ts';
import { everySetting, unsupportedSettingsOf } from './setting.ts';
import type { Setting } from './setting.ts';
import type { Said, Source } from './source.ts';

export interface Loaded<T> {
  readonly config: T;
  /** Where each setting's value came from; a setting that is not here has its default. */
  readonly origins: ReadonlyMap<string, string>;
}

/**
 * @param sources weakest first
 * @throws {InvalidSettingError} names the value, where it was said and what is allowed
 * @throws {UnsupportedSettingError} for a setting of k3s that is not here
 */
export function loadConfig<Schema extends z.ZodObject>(
  schema: Schema,
  sources: readonly Source[],
): Loaded<Readonly<z.infer<Schema>>> {
  const said = new Map<string, Said>();
  for (const source of sources) for (const [name, value] of source) said.set(name, value);
  refuseUnsupported(schema, said);
  const settings = new Map(everySetting(schema).map((setting) => [setting.name, setting]));
  const raw = Object.fromEntries([...said].map(([name, { value }]) => [name, toKind(settings.get(name), value)]));
  const parsed = schema.safeParse(raw);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const name = String(issue?.path[0] ?? '');
    const one = said.get(name);
    const item = itemAt(raw[name], issue?.path[1]);
    const wrong = one === undefined || item === undefined ? one : { ...one, value: item };
    throw new InvalidSettingError(settings.get(name)?.key ?? name, wrong, issue?.message ?? 'invalid');
  }
  return { config: parsed.data, origins: new Map([...said].map(([name, { origin }]) => [name, origin])) };
}

/** The one item of a list that is wrong. */
function itemAt(value: unknown, index: PropertyKey | undefined): unknown {
  return Array.isArray(value) && typeof index === 'number' ? (value as readonly unknown[])[index] : undefined;
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

/** Takes away what asks for what is the case anyway. @throws {UnsupportedSettingError} for anything else */
function refuseUnsupported(schema: z.ZodObject, said: Map<string, Said>): void {
  for (const { name, key, description, accepts } of unsupportedSettingsOf(schema)) {
    const { value, origin } = said.get(name) ?? { value: undefined, origin: '' };
    said.delete(name);
    const isFine =
      value === undefined ||
      value === null ||
      ['', 'false', ...accepts].includes(JSON.stringify(value).replaceAll('"', '').toLowerCase());
    if (!isFine) throw new UnsupportedSettingError(key, origin, description);
  }
}

/** Texts, as every source gives them, in the setting's kind; what does not fit stays for the schema to refuse. */
function toKind(setting: Setting | undefined, value: unknown): unknown {
  switch (setting?.kind) {
    case 'list':
      return itemsOf(value).flatMap((item): readonly unknown[] => (typeof item === 'string' ? partsOf(item) : [item]));
    case 'args':
      return itemsOf(value);
    case 'number':
      return typeof value === 'string' && numberForm.test(value) ? Number(value) : value;
    case 'boolean':
      return value === '1' || isWord(value, 'true') ? true : value === '0' || isWord(value, 'false') ? false : value;
    case 'text':
    case undefined:
      return value;
  }
}

const numberForm = /^([-+]?\d+(\.\d*)?([eE][-+]?\d+)?|0x[\da-fA-F]+|0o[0-7]+)$/;

function isWord(value: unknown, word: string): boolean {
  return typeof value === 'string' && value.toLowerCase() === word;
}

/** Nothing written is no item. */
function itemsOf(value: unknown): readonly unknown[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  return items.filter((item) => item !== null);
}

/** Items are parted by commas; blanks around them and empty ones mean nothing. */
function partsOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

export * as kinds from './kinds.ts';
export type { Said, Source } from './source.ts';
export { everySetting, unsupportedSettingsOf, settingsOf, type UnsupportedSetting, type Setting } from './setting.ts';
export { fileSource, saidInFiles } from './file.ts';
export { parseYaml, readConfigText, type YamlFile } from './yaml.ts';
export {
  UnsupportedSettingError,
  InvalidSettingError,
  nearest,
  UnknownKeyError,
  UnreadableConfigError,
} from './errors.ts';
