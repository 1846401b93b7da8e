import * as z from 'zod';
import { messageOf } from '../../../shared/errors.ts';
import { StorageConfigError, VolumeUnsupportedError } from './errors.ts';

export const configName = 'local-path-config';
/** What k3s's configuration calls nodes that are not listed. */
const otherNodes = 'DEFAULT_PATH_FOR_NON_LISTED_NODES';

const path = z.string().regex(/^\/.*[^/]$/, 'a path begins with / and is not / itself');
const Config = z.object({
  nodePathMap: z.array(z.object({ node: z.string(), paths: z.array(path) })).default([]),
  sharedFileSystemPath: z.union([path, z.literal('')]).optional(),
});
export type StorageConfig = Readonly<z.infer<typeof Config>>;

export function configText(defaultPath: string): string {
  return `${JSON.stringify({ nodePathMap: [{ node: otherNodes, paths: [defaultPath] }] }, null, 2)}\n`;
}

/** @throws {StorageConfigError} */
export function readConfig(text: string): StorageConfig {
  try {
    const config = Config.parse(JSON.parse(text));
    const hasShared = (config.sharedFileSystemPath ?? '') !== '';
    if (hasShared && config.nodePathMap.length > 0)
      throw new Error('sharedFileSystemPath and nodePathMap exclude each other');
    return config;
  } catch (error) {
    const [issue] = error instanceof z.ZodError ? error.issues : [];
    throw new StorageConfigError(issue === undefined ? messageOf(error) : `${issue.path.join('.')}: ${issue.message}`);
  }
}

/**
 * Where a new volume may be, the folders of all volumes, in the order in which they are to be tried: which of them is the
 * first is left to chance. `wanted`: as the class's `nodePath` says.
 * @throws {VolumeUnsupportedError} where there is none
 */
export function rootsFor(config: StorageConfig, node: string | undefined, wanted: string | undefined): string[] {
  const shared = config.sharedFileSystemPath ?? '';
  if (shared !== '') return [shared];
  const { nodePathMap } = config;
  const own = nodePathMap.find((one) => one.node === node) ?? nodePathMap.find((one) => one.node === otherNodes);
  const paths = own?.paths ?? [];
  const roots = wanted === undefined ? paths : paths.filter((one) => one === wanted).slice(0, 1);
  const first = Math.floor(Math.random() * roots.length);
  if (roots.length > 0) return [...roots.slice(first), ...roots.slice(0, first)];
  const missing = wanted === undefined ? 'no path' : `no path ${wanted}`;
  throw new VolumeUnsupportedError(
    `there is ${missing} for the node ${node} in the ConfigMap kube-system/${configName}`,
    "add one with 'kagent kubectl -n kube-system edit configmap local-path-config'",
  );
}

export function isShared(config: StorageConfig): boolean {
  return (config.sharedFileSystemPath ?? '') !== '';
}
