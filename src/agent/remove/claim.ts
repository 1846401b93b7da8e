import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readFileIfExists, writeFileAtomicSync } from '../../shared/files/files.ts';
import type { Paths } from '../../shared/paths.ts';

/** Folders that have their place by custom, so that another Kubernetes on this box may have filled them before. */
export function customaryFolders(paths: Paths): readonly string[] {
  return [paths.agent.kubelet, '/var/lib/cni', '/var/log/pods', '/var/log/containers'];
}

/**
 * Before the first start: the folders that are not there or empty now are kagent's from now on, and go with it.
 * What was there before stays for ever.
 */
export function claimFolders(paths: Paths, folders: readonly string[] = customaryFolders(paths)): void {
  if (existsSync(claimFile(paths))) return;
  const free = folders.filter((folder) => !existsSync(folder) || readdirSync(folder).length === 0);
  writeFileAtomicSync(claimFile(paths), JSON.stringify(free), 0o600);
}

export function claimedFolders(paths: Paths): readonly string[] {
  const text = readFileIfExists(claimFile(paths));
  return text === undefined ? [] : (JSON.parse(text) as string[]);
}

function claimFile(paths: Paths): string {
  return join(paths.agent.dir, 'claimed-folders.json');
}
