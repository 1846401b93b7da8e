import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Journal } from '../../shared/journal/journal.ts';
import { configDir, runPaths, type Paths } from '../../shared/paths.ts';
import type { ServiceHost } from '../../shared/service/service.ts';
import { claimFor, customaryFolders } from './claim.ts';
import type { Outcome } from './remove.ts';
import { emptyFolder, removeTree, together } from './tree.ts';

export interface DataOptions {
  readonly paths: Paths;
  readonly host: ServiceHost;
  readonly journal: Journal;
  readonly keepData: boolean;
}

/** kagent's folders with what is in them, but for the journal, which is needed until the end. */
export async function removeData({ paths, host, journal, keepData }: DataOptions): Promise<Outcome> {
  const config = host.path(configDir);
  const outcomes = [await removeTree(host.path(runPaths.dir)), await removeConfig(config, journal)];
  if (keepData) return together([...outcomes, stays(`${paths.dataDir}: as asked`)]);
  const claimed = journal.entries().flatMap((made) => (made.kind === 'claim' ? made.path : []));
  const own = [paths.dataDir, config];
  const folders = [...new Set([...customaryFolders(paths), ...claimed])].filter((folder) => !own.includes(folder));
  for (const folder of folders) outcomes.push(await removeCustomary(folder, journal));
  outcomes.push(await removeOwn(paths.dataDir, journal, [paths.journal]));
  return together(outcomes);
}

/** A folder that another Kubernetes had filled before is none of ours. */
async function removeCustomary(folder: string, journal: Journal): Promise<Outcome> {
  if (isEmptyOrMissing(folder)) return claimFor(folder, journal) === undefined ? nothing : removeOwn(folder, journal);
  const claim = claimFor(folder, journal);
  if (claim !== undefined && (claim.before ?? []).length === 0) return removeOwn(folder, journal);
  return stays(`${folder}: it was there before kagent`);
}

/** What its owner had put there before kagent came stays, and what is not known to be of later. */
async function removeConfig(config: string, journal: Journal): Promise<Outcome> {
  if (!exists(config)) return nothing;
  const claim = claimFor(config, journal);
  const names = claim === undefined ? readdirSync(config) : (claim.before ?? []);
  const kept = names.filter((name) => !ownConfig.test(name)).map((name) => join(config, name));
  const outcome = await removeOwn(config, journal, kept);
  return together([outcome, ...kept.filter(exists).map((path) => stays(`${path}: it was there before kagent`))]);
}

/** Also those of an earlier kagent. */
const ownConfig = /^kagent[^/]*\.(yaml|env|start|applied)$/;

/** The folder itself stays if it was there before, for its owner may have given it rights of his own. */
async function removeOwn(folder: string, journal: Journal, kept: readonly string[] = []): Promise<Outcome> {
  const claim = claimFor(folder, journal);
  const wasThere = claim === undefined ? isEmptyOrMissing(folder) : claim.before !== undefined;
  return wasThere ? emptyFolder(folder, { kept }) : removeTree(folder, { kept });
}

function isEmptyOrMissing(folder: string): boolean {
  return !exists(folder) || readdirSync(folder).length === 0;
}

const nothing: Outcome = { stayed: [], failed: [] };

function stays(sentence: string): Outcome {
  return { stayed: [sentence], failed: [] };
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
