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
  readonly description: string;
  readonly defaultValue: unknown;
}

export function settingsOf(schema: z.ZodObject): readonly Setting[] {
  return Object.entries(schema.shape).map(([name, type]) => {
    const key = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const { kind, defaultValue, description } = inspectType(type as z.ZodType);
    return {
      name,
      key,
      variable: `KAGENT_${key.replaceAll('-', '_').toUpperCase()}`,
      short: (type as z.ZodType).meta()?.['short'] as string | undefined,
      kind,
      description,
      defaultValue,
    };
  });
}

function inspectType(type: z.ZodType): Pick<Setting, 'kind' | 'defaultValue' | 'description'> {
  const description = type.description ?? '';
  const isArgs = type.meta()?.['commas'] === 'kept';
  const { def } = type as unknown as { def: { type: string; innerType?: z.ZodType; defaultValue?: unknown } };
  if (def.innerType !== undefined) {
    const inner = inspectType(def.innerType);
    return {
      kind: isArgs ? 'args' : inner.kind,
      description: description || inner.description,
      defaultValue: def.type === 'default' ? def.defaultValue : inner.defaultValue,
    };
  }
  const kinds: Record<string, Setting['kind']> = { array: 'list', boolean: 'boolean', number: 'number' };
  return { kind: kinds[def.type] ?? 'text', description, defaultValue: undefined };
}
