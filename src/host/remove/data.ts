import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { toolCache } from '../assets/assets.ts';
import type { UndoLog } from '../undo-log/undo-log.ts';
import { realPath, isThere } from '../../shared/files/files.ts';
import { isBelow, readMounts } from '../mounts/mounts.ts';
import { configDir, runPaths } from '../../shared/paths.ts';
import type { Paths } from '../../shared/paths.ts';
import type { ServiceHost } from '../service/service.ts';
import { claimFor, customaryFolders } from './claim.ts';
import type { Outcome } from './types.ts';
import { emptyFolder, removeTree, together, nothing, stays } from './tree.ts';

export interface DataOptions {
  readonly paths: Paths;
  readonly host: ServiceHost;
  readonly undoLog: UndoLog;
  readonly keepData: boolean;
  readonly snapshotDir?: string | undefined;
}

/** kagent's folders with what is in them, but for the undo log, which is needed until the end. */
export async function removeData(options: DataOptions): Promise<Outcome> {
  const { paths, host, undoLog, keepData } = options;
  const config = host.path(configDir);
  const outcomes = [
    await removeTree(host.path(runPaths.dir)),
    await removeButOwners(config, undoLog, { isOurs: (name) => ownConfig.test(name) }),
  ];
  outcomes.push(await removeTree(host.path(toolCache(process.env)))); // of calls before there was a data dir
  if (keepData) return together([...outcomes, stays(`${paths.dataDir}: as asked`)]);
  const claimed = undoLog.entries().flatMap((made) => (made.kind === 'claim' ? made.path : []));
  const own = [paths.dataDir, config];
  const folders = [...new Set([...customaryFolders(paths), ...claimed])].filter((folder) => !own.includes(folder));
  for (const folder of folders) outcomes.push(await removeCustomary(folder, undoLog));
  const data = ownData(paths);
  const isOurs = (name: string) => data.has(name);
  outcomes.push(await removeButOwners(paths.dataDir, undoLog, { isOurs, kept: [paths.undoLog] }));
  outcomes.push(snapshotsStay(options));
  return together(outcomes);
}

/** A folder that somebody chose for copies of the cluster is somebody's. */
function snapshotsStay({ paths, snapshotDir }: DataOptions): Outcome {
  if (snapshotDir === undefined || isEmptyOrMissing(snapshotDir)) return nothing;
  if (isBelow(realPath(snapshotDir), realPath(paths.dataDir))) return nothing;
  return stays(
    `${snapshotDir}: snapshots were kept there, which hold the cluster's Secrets; remove them if they are no longer needed`,
  );
}

/**
 * What another Kubernetes had in it before is none of ours; what has come since is. A pod's folder in which something is still
 * mounted, where our pods' mounts have gone, is of one that runs, and stays too.
 */
async function removeCustomary(folder: string, undoLog: UndoLog): Promise<Outcome> {
  const claim = claimFor(folder, undoLog);
  if (claim === undefined) return isEmptyOrMissing(folder) ? nothing : stays(`${folder}: it was there before kagent`);
  if (isEmptyOrMissing(folder) || (claim.before ?? []).length === 0) return removeOwn(folder, undoLog);
  const mounts = readMounts().map(({ point }) => point);
  const isInUse = (path: string) => mounts.some((point) => isBelow(point, realPath(path)));
  const kept = readdirSync(folder)
    .filter((name) => claim.before?.includes(name) === true || isInUse(join(folder, name)))
    .map((name) => join(folder, name));
  const outcome = await removeOwn(folder, undoLog, kept);
  return kept.length === 0 ? outcome : together([outcome, stays(`${folder}: what was there before kagent`)]);
}

/**
 * What its owner had put there before kagent came stays, and what is not known to be of later: a folder of one's own may be
 * named as --data-dir.
 * @param isOurs also of an earlier kagent
 */
async function removeButOwners(
  folder: string,
  undoLog: UndoLog,
  { isOurs, kept = [] }: { readonly isOurs: (name: string) => boolean; readonly kept?: readonly string[] },
): Promise<Outcome> {
  if (!isThere(folder)) return nothing;
  const claim = claimFor(folder, undoLog);
  const names = claim === undefined ? readdirSync(folder) : (claim.before ?? []);
  const owners = names.filter((name) => !isOurs(name)).map((name) => join(folder, name));
  const outcome = await removeOwn(folder, undoLog, [...kept, ...owners]);
  return together([outcome, ...owners.filter(isThere).map((path) => stays(`${path}: it was there before kagent`))]);
}

const ownConfig = /^kagent[^/]*\.(yaml|env|start|applied)$/;

function ownData(paths: Paths): ReadonlySet<string> {
  const { lock, holder, version, undoLog, data, logs, children, server, agent } = paths;
  return new Set(
    [lock, holder, version, undoLog, data, logs, children, server.dir, agent.dir].map((path) => basename(path)),
  );
}

/** The folder itself stays if it was there before, for its owner may have given it rights of his own. */
async function removeOwn(folder: string, undoLog: UndoLog, kept: readonly string[] = []): Promise<Outcome> {
  const claim = claimFor(folder, undoLog);
  const wasThere = claim === undefined ? isEmptyOrMissing(folder) : claim.before !== undefined;
  return wasThere ? emptyFolder(folder, { kept }) : removeTree(folder, { kept });
}

function isEmptyOrMissing(folder: string): boolean {
  return !existsSync(folder) || readdirSync(folder).length === 0; // a link that leads nowhere has nothing in it
}
