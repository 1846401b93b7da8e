import { saidInFiles } from '../config/config.ts';
import { configDir, defaultDataDir } from '../paths.ts';
import type { ServiceHost } from './host.ts';
import { shellWords } from './quote.ts';

/** Where a kagent with these flags and this environment file keeps its data: as it would find it itself. */
export function saidDataDir(said: {
  readonly args: readonly string[];
  /** The text of the environment file. */
  readonly environment: string;
  readonly host: ServiceHost;
}): string {
  const { args, environment, host } = said;
  const flag = args.findIndex((arg) => /^(--data-dir|-d)(=|$)/.test(arg));
  const byFlag = flag < 0 ? undefined : (/=(.*)/.exec(args[flag] ?? '')?.[1] ?? args[flag + 1]);
  const line = environment.split('\n').find((candidate) => candidate.startsWith('KAGENT_DATA_DIR='));
  const byVariable = line === undefined ? undefined : shellWords(line.slice('KAGENT_DATA_DIR='.length))[0];
  const byFile = saidInFiles(host.path(`${configDir}/config.yaml`), 'data-dir');
  return byFlag ?? byVariable ?? (typeof byFile === 'string' ? byFile : host.path(defaultDataDir));
}
