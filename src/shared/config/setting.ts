import type * as z from 'zod';

/** One setting as people see it. */
export interface Setting {
  readonly name: string; // 'clusterCidr'
  readonly key: string; // 'cluster-cidr': the flag without its dashes, and the key in config.yaml
  readonly variable: string; // 'KAGENT_CLUSTER_CIDR'
  /** The flag's one letter, where k3s has one: 't'. */
  readonly short: string | undefined;
  /** A list's value may hold several, separated by commas; `args` are values in which a comma is a comma. */
  readonly kind: 'text' | 'number' | 'boolean' | 'list' | 'args';
  /** Not to be shown. */
  readonly isSecret: boolean;
  readonly description: string;
  readonly defaultValue: unknown;
  /** The values there are, where they are few. */
  readonly choices: readonly string[];
}

/** A setting of k3s that is refused, unless it asks for what is the case anyway. */
export interface UnsupportedSetting extends Setting {
  readonly accepts: readonly string[];
}

/** What there is to set. */
export function settingsOf(schema: z.ZodObject): readonly Setting[] {
  return everySetting(schema).filter((setting) => !isUnsupported(setting));
}

/** What k3s has and kagent has not; the description says what to do instead. */
export function unsupportedSettingsOf(schema: z.ZodObject): readonly UnsupportedSetting[] {
  return everySetting(schema).filter(isUnsupported);
}

/** Whatever has a name: the sources know both kinds. */
export function everySetting(schema: z.ZodObject): readonly Setting[] {
  return Object.entries(schema.shape).map(([name, type]) => {
    const key = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const { kind, isSecret, defaultValue, description, choices } = inspectType(type as z.ZodType);
    return {
      name,
      key,
      variable: `KAGENT_${key.replaceAll('-', '_').toUpperCase()}`,
      ...acceptsOf(type as z.ZodType),
      short: (type as z.ZodType).meta()?.['short'] as string | undefined,
      kind,
      isSecret,
      description,
      defaultValue,
      choices,
    };
  });
}

/** What is read of zod's own description of a type. */
interface Definition {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly defaultValue?: unknown;
  readonly entries?: Readonly<Record<string, string>>;
}

function acceptsOf(type: z.ZodType): Partial<Pick<UnsupportedSetting, 'accepts'>> {
  const accepts = type.meta()?.['accepts'] as readonly string[] | undefined;
  return accepts === undefined ? {} : { accepts };
}

function isUnsupported(setting: Setting): setting is UnsupportedSetting {
  return 'accepts' in setting;
}

function inspectType(type: z.ZodType): Pick<Setting, 'kind' | 'isSecret' | 'defaultValue' | 'description' | 'choices'> {
  const description = type.description ?? '';
  const isArgs = type.meta()?.['commas'] === 'kept';
  const isSecret = type.meta()?.['secret'] === true;
  const { def } = type as unknown as { def: Definition };
  if (def.innerType !== undefined) {
    const inner = inspectType(def.innerType);
    return {
      kind: isArgs ? 'args' : inner.kind,
      isSecret: isSecret || inner.isSecret,
      description: description || inner.description,
      defaultValue: def.type === 'default' ? def.defaultValue : inner.defaultValue,
      choices: inner.choices,
    };
  }
  const kinds: Record<string, Setting['kind']> = { array: 'list', boolean: 'boolean', number: 'number' };
  return {
    kind: kinds[def.type] ?? 'text',
    isSecret,
    description,
    defaultValue: undefined,
    choices: Object.values(def.entries ?? {}),
  };
}
