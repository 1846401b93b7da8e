import { existsSync } from 'node:fs';
import { claimOf, missingAbove, type Journal, type MadeOf } from '../../shared/journal/journal.ts';
import { configDir, type Paths } from '../../shared/paths.ts';

/** Folders that have their place by custom, so that another Kubernetes on this box may have filled them before. */
export function customaryFolders(paths: Paths): readonly string[] {
  return [paths.agent.kubelet, '/var/log/pods', '/var/log/containers'];
}

/** Other programs' pods have their notes there as well: ours go by their names, the folders when they are empty. */
const sharedFolders = ['/var/lib/cni', '/var/lib/cni/results'];

/** Before the first start: what is in the folders that are going to be kagent's. The first look at each is what counts. */
export function claimFolders(
  journal: Journal,
  paths: Paths,
  folders: readonly string[] = customaryFolders(paths),
): void {
  const shared = sharedFolders.filter((folder) => !existsSync(folder));
  journal.record(
    ...missingAbove(paths.dataDir),
    ...shared.map((path) => ({ kind: 'folder', path }) as const),
    ...[paths.dataDir, configDir, ...folders].map(claimOf),
  );
}

export function claimFor(path: string, journal: Journal): MadeOf<'claim'> | undefined {
  return journal.entries().find((made): made is MadeOf<'claim'> => made.kind === 'claim' && made.path === path);
}
