import { homedir } from 'node:os';
import { join } from 'node:path';
import { isExecutable, isWritable } from '../../shared/files/files.ts';
import { pathsOf } from '../../shared/paths.ts';
import { findBundle } from './find.ts';
import { unpack } from './unpack.ts';
import { leadsToFinished } from './versions.ts';

/**
 * The folder of a bundled tool: the data dir's, where kagent runs or the caller may write there. A command that only calls a
 * tool makes no data dir: for a caller without one, or without the right to it, the tools are unpacked among his own caches.
 */
export async function toolFolder(
  tool: string,
  { dataDir, isRunning }: { readonly dataDir: string; readonly isRunning: boolean },
  env: Readonly<NodeJS.ProcessEnv>,
): Promise<string> {
  const isOwn = isWritable(dataDir);
  const { bin, components } = pathsOf(dataDir);
  if (isRunning || (!isOwn && leadsToFinished(components) && isExecutable(join(bin, tool)))) return bin;
  const parent = isOwn ? dataDir : toolCache(env);
  const signal = new AbortController().signal; // Ctrl-C ends this process, and its next run continues
  const bundle = await findBundle({ asked: undefined, env, dataDir: parent, signal });
  await unpack({ bundle, dataDir: parent, signal: AbortSignal.timeout(120_000) });
  return pathsOf(parent).bin;
}

/** `~/.cache/kagent-tools` */
export function toolCache(env: Readonly<NodeJS.ProcessEnv>): string {
  const wanted = env['XDG_CACHE_HOME'] ?? '';
  return join(wanted.startsWith('/') ? wanted : join(homedir(), '.cache'), 'kagent-tools');
}
