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

/**
 * What a kagent that is started so has for each setting, as it would find it itself: flag, variable, file; undefined: its
 * default. Its files are read once, and only for a setting that neither a flag nor a variable gives.
 */
export function saidSettings({ args, environment, host }: Said): (key: string) => string | undefined {
  let inFiles: ReadonlyMap<string, unknown> | undefined;
  const inFile = (key: string) => {
    const config = valueOfFlag(args, 'config') ?? environment['KAGENT_CONFIG_FILE'];
    inFiles ??= saidInFiles(config ?? host.path(`${configDir}/config.yaml`));
    const value = inFiles.get(key);
    return typeof value === 'string' ? value : undefined;
  };
  return (key) => {
    const byVariable = environment[variableOf(key)];
    return valueOfFlag(args, key) ?? (byVariable === '' ? undefined : byVariable) ?? inFile(key);
  };
}

/** Where it keeps its data. */
export function saidDataDir(said: Said): string {
  return saidSettings(said)('data-dir') ?? said.host.path(defaultDataDir);
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
