import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { expect, test } from 'vitest';
import type * as z from 'zod';
import { AgentConfig } from '../../../../src/agent/config.ts';
import { configCommand } from '../../../../src/cli/cli.ts';
import { environmentSource, fileSource, loadConfig, settingsOf } from '../../../../src/shared/config/config.ts';
import type { Setting, Source } from '../../../../src/shared/config/config.ts';
import { flagsOf, schemas, serverSchema } from '../../../helpers/modes.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

/** Of every kind that a setting may want, beside its default. */
const texts = [
  '/srv/x',
  '10.1.2.3',
  '10.1.0.0/16',
  'debug',
  'json',
  'native',
  'host-gw',
  'https://10.0.0.1:9345',
  '0640',
  '1000-2000',
  '5 * * * *',
  'coredns',
  'quota-backend-bytes=1000',
  'a=b',
  'a=b:NoSchedule',
  'cis',
  'word',
];

/** A value that the setting takes and that is not its default. */
function sampleOf(schema: z.ZodObject, { name, kind, defaultValue }: Setting): unknown {
  const type = schema.shape[name] as z.ZodType;
  const candidates = {
    text: texts,
    number: [1234, 7],
    boolean: [true],
    list: texts.map((text) => [text]),
    args: [['v=4', 'list=a,b'], ['quota-backend-bytes=1000']],
  }[kind];
  const found = candidates.find((one) => type.safeParse(one).success && one !== defaultValue);
  if (found === undefined) throw new Error(`no candidate fits ${name}`);
  return found;
}

const cases = [
  ['server', serverSchema],
  ['agent', AgentConfig],
].flatMap(([mode, schema]) =>
  settingsOf(schema as z.ZodObject).map(
    (setting) => [mode as string, setting.key, schema as z.ZodObject, setting] as const,
  ),
);

test.each(cases)(
  '%s: %s is taken from its default, the file, the environment and a flag',
  async (mode, key, schema, setting) => {
    const { name, variable, kind, defaultValue } = setting;
    const value = sampleOf(schema, setting);
    const many = Array.isArray(value) ? (value as readonly string[]) : undefined;
    const path = join(temporaryDir(), 'config.yaml');
    writeFileSync(path, `# one\n${stringify({ [key]: value })}`);
    const single = kind === 'args' ? (many?.[0] ?? '') : (many?.join(',') ?? String(value));
    const expectedSingle = kind === 'args' ? [single] : value;
    const file = fileSource({ schema, known: schemas, path, required: true });
    const environment = environmentSource(schema, { [variable]: single });
    const flags = flagsOf(
      schema,
      (many ?? [value]).flatMap((one) => [`--${key}`, String(one)]),
    );

    const load = (...sources: readonly Source[]) => {
      const { config, origins } = loadConfig(schema, sources);
      return [(config as Record<string, unknown>)[name], origins.get(name)];
    };
    expect(load()).toEqual([defaultValue, undefined]);
    expect(load(file)).toEqual([value, `${path} line 2`]);
    expect(load(file, environment)).toEqual([expectedSingle, variable]);
    expect(load(file, environment, flags)).toEqual([value, `--${key}`]);

    expect(await shownOrigin({ mode, key, path, env: {} })).toBe(`${path} line 2`);
    expect(await shownOrigin({ mode, key, path, env: { [variable]: single } })).toBe(variable);
  },
);

/** What `kagent config show` says of a setting. */
async function shownOrigin(options: {
  readonly mode: string;
  readonly key: string;
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
}): Promise<string | undefined> {
  const { mode, key, path, env } = options;
  const modes = [
    { name: 'server', schema: serverSchema },
    { name: 'agent', schema: AgentConfig },
  ];
  let printed = '';
  const print = process.stdout.write.bind(process.stdout);
  process.stdout.write = (text) => {
    printed += String(text);
    return true;
  };
  try {
    const command = configCommand(modes, env).exitOverride();
    await command.parseAsync(['show', mode, '--config', path, '-o', 'json'], { from: 'user' });
  } finally {
    process.stdout.write = print;
  }
  const { settings } = JSON.parse(printed) as { settings: readonly { key: string; origin: string }[] };
  return settings.find((one) => one.key === key)?.origin;
}
