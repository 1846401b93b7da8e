import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { claimOf, missingAbove } from '../undo-log/undo-log.ts';
import type { UndoLog, MadeOf } from '../undo-log/undo-log.ts';
import { configDir } from '../../shared/paths.ts';
import type { Paths } from '../../shared/paths.ts';
import { namesIn } from '../../shared/files/files.ts';

/** Folders that have their place by custom, so that another Kubernetes on this box may have filled them before. */
export function customaryFolders(paths: Paths): readonly string[] {
  return [paths.agent.kubelet, '/var/log/pods', '/var/log/containers'];
}

/** Other programs' pods have their notes there as well: ours go by their names, the folders when they are empty. */
const sharedFolders = ['/var/lib/cni', '/var/lib/cni/results'];

/** The kubelet's folders in its own: another one may have filled them before, and each has its claim then. */
function foldersOfKubelet({ agent }: Paths): readonly string[] {
  return namesIn(agent.kubelet)
    .map((name) => join(agent.kubelet, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true);
}

/** Volumes of pods that were there before kagent. */
export function othersPods(paths: Paths, undoLog: UndoLog): readonly string[] {
  return ['pods', 'plugins'].flatMap((name) => {
    const folder = join(paths.agent.kubelet, name);
    return (claimFor(folder, undoLog)?.before ?? []).map((before) => join(folder, before));
  });
}

/** Before the first start: what is in the folders that are going to be kagent's. The first look at each is what counts. */
export function claimFolders(
  undoLog: UndoLog,
  paths: Paths,
  folders: readonly string[] = customaryFolders(paths),
): void {
  const isFirst = claimFor(paths.agent.kubelet, undoLog) === undefined; // later they are full of our own
  const inside = isFirst && folders.includes(paths.agent.kubelet) ? foldersOfKubelet(paths) : [];
  const shared = sharedFolders.filter((folder) => !existsSync(folder));
  undoLog.record(
    ...missingAbove(paths.dataDir),
    ...shared.map((path) => ({ kind: 'folder', path }) as const),
    ...[paths.dataDir, configDir, ...folders, ...inside].map(claimOf),
  );
}

export function claimFor(path: string, undoLog: UndoLog): MadeOf<'claim'> | undefined {
  return undoLog.entries().find((made): made is MadeOf<'claim'> => made.kind === 'claim' && made.path === path);
}
