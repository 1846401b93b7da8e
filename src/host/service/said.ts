import { saidInFiles } from '../../shared/config/config.ts';
import { configDir, defaultDataDir } from '../../shared/paths.ts';
import { variableOf } from '../../shared/secret-arguments.ts';
import type { ServiceHost } from './host.ts';
import { shellWords } from './quote.ts';

/** What a kagent is started with, beside its files. */
export interface Said {
  readonly args: readonly string[];
  readonly environment: Readonly<NodeJS.ProcessEnv>;
  readonly host: ServiceHost;
}

/** What a kagent that is started so has for a setting, as it would find it itself: flag, variable, file; undefined: its default. */
export function saidSetting(key: string, { args, environment, host }: Said): string | undefined {
  const file =
    valueOfFlag(args, 'config') ?? environment['KAGENT_CONFIG_FILE'] ?? host.path(`${configDir}/config.yaml`);
  const inFile = saidInFiles(file, key);
  const byVariable = environment[variableOf(key)];
  return (
    valueOfFlag(args, key) ??
    (byVariable === '' ? undefined : byVariable) ??
    (typeof inFile === 'string' ? inFile : undefined)
  );
}

/** Where it keeps its data. */
export function saidDataDir(said: Said): string {
  return saidSetting('data-dir', said) ?? said.host.path(defaultDataDir);
}

/** The lines of an environment file. */
export function environmentIn(text: string): Readonly<NodeJS.ProcessEnv> {
  const lines = text.split('\n').filter((line) => /^\w+=/.test(line));
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf('=');
      return [line.slice(0, at), shellWords(line.slice(at + 1))[0] ?? ''];
    }),
  );
}

const letters: Readonly<Record<string, string>> = { 'data-dir': '-d', config: '-c', 'write-kubeconfig': '-o' };

/** The last one counts, as with every flag. */
function valueOfFlag(args: readonly string[], key: string): string | undefined {
  const index = args.findLastIndex((arg) => [`--${key}`, letters[key]].includes(arg.split('=', 1)[0]));
  if (index < 0) return undefined;
  const word = args[index] ?? '';
  return word.includes('=') ? word.slice(word.indexOf('=') + 1) : args[index + 1];
}
