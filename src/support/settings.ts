/** The files that say how kagent is to run, without their secrets; and those secrets, to be looked for elsewhere. */
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { secretArguments } from '../cli/cli.ts';
import { messageOf } from '../shared/errors.ts';
import { readFileIfExists, namesIfReadable } from '../shared/files/files.ts';
import { configDir } from '../shared/paths.ts';
import type { Paths } from '../shared/paths.ts';
import { createServiceManager, hostAt, installedServices } from '../host/service/service.ts';
import type { ServiceKind } from '../host/service/service.ts';
import type { Part } from './parts.ts';
import { redactData, redactEnvironment } from './redact.ts';

export interface Settings {
  readonly parts: readonly Part[];
  readonly secrets: readonly string[];
}

/** @param pid of the kagent that runs, if one does: what it was told is secret too */
export function readSettings(paths: Paths, pid: number | undefined): Settings {
  const dropIns = join(configDir, 'config.yaml.d');
  const yaml = [
    join(configDir, 'config.yaml'),
    ...namesIfReadable(dropIns).map((name) => join(dropIns, name)),
    join(configDir, 'registries.yaml'),
  ];
  const read = [...yaml.flatMap(yamlFile), ...serviceFiles()];
  return {
    parts: read.map(({ part }) => part),
    secrets: [
      ...read.flatMap(({ secrets }) => secrets),
      ...['self', ...(pid === undefined ? [] : [String(pid)])].flatMap(secretsOfProcess),
      ...[paths.server.token, paths.server.nodeToken, paths.server.agentToken].flatMap((path) => textOf(path)),
      ...textOf(paths.agent.identity).flatMap((text) => redactData(orUndefined(() => JSON.parse(text))).secrets),
      ...textOf(join(configDir, 'config.yaml')).flatMap(tokenFileOf),
    ],
  };
}

interface ReadFile {
  readonly part: Part;
  readonly secrets: readonly string[];
}

/** As kagent reads them: a secret that looks like a number is found in logs as it was written. */
const asWritten = { schema: 'failsafe' } as const;

/** Comments are left out: a token that is commented out is a token. */
function yamlFile(path: string): readonly ReadFile[] {
  const [text] = textOf(path);
  if (text === undefined) return [];
  const name = join('settings', path);
  try {
    const { value, secrets } = redactData(parse(text, asWritten) as unknown);
    return [{ part: { name, read: () => stringify(value, asWritten) }, secrets }];
  } catch (error) {
    const [reason] = messageOf(error).split('\n'); // the rest shows the file
    const read = () => {
      throw new TypeError(`it is no YAML and may hold secrets, so it is left out: ${reason}`);
    };
    return [{ part: { name, read }, secrets: [] }];
  }
}

/** What the service manager was given: units, scripts, and their environment. */
function serviceFiles(): readonly ReadFile[] {
  const host = hostAt('/');
  const kinds: readonly ServiceKind[] = ['systemd', 'openrc', 'none'];
  const services = installedServices(kinds.map((kind) => createServiceManager(kind, { host })));
  return services.flatMap(({ name, manager, args }) => {
    const { definition, environment } = manager.files(name);
    return [definition, environment].flatMap((path) =>
      textOf(path).map((text) => {
        const redacted = redactEnvironment(text);
        return {
          part: { name: join('settings', path), read: () => redacted.text },
          secrets: [...redacted.secrets, ...secretsInFlags(args)],
        };
      }),
    );
  });
}

/** From its environment and its flags. */
function secretsOfProcess(pid: string): readonly string[] {
  const [environment = ''] = textOf(`/proc/${pid}/environ`);
  const [flags = ''] = textOf(`/proc/${pid}/cmdline`);
  const variables = environment.split('\0').map((line) => [line.split('=', 1)[0], line.slice(line.indexOf('=') + 1)]);
  return [
    ...redactEnvironment(environment.replaceAll('\0', '\n')).secrets,
    ...(orUndefined(() => secretArguments(Object.fromEntries(variables) as NodeJS.ProcessEnv)) ?? []),
    ...secretsInFlags(flags.split('\0')),
  ];
}

/** `--token=x`, `--token x`, `-t x`. */
function secretsInFlags(args: readonly string[]): readonly string[] {
  return args.flatMap((arg, index) => {
    const [, value] = /^--(?:agent-|new-)?token=(.+)$/.exec(arg) ?? [];
    const isFlag = /^(?:--(?:agent-|new-)?token|-t)$/.test(args[index - 1] ?? '');
    return value === undefined ? (isFlag ? [arg] : []) : [value];
  });
}

function tokenFileOf(text: string): readonly string[] {
  const settings = orUndefined(() => parse(text, asWritten) as Readonly<Record<string, unknown>> | null);
  const path = settings?.['token-file'];
  return typeof path === 'string' ? textOf(path) : [];
}

function textOf(path: string): readonly string[] {
  const text = orUndefined(() => readFileIfExists(path));
  return text === undefined ? [] : [text];
}

/** A file that cannot be read keeps nothing from being collected. */
function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
