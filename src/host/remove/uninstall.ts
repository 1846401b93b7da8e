import { rmdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { systemCode } from '../../shared/errors.ts';
import { openUndoLog } from '../undo-log/undo-log.ts';
import type { UndoLog, MadeOf, Undone } from '../undo-log/undo-log.ts';
import { defaultDataDir } from '../../shared/paths.ts';
import { installedServices, removeService } from '../service/service.ts';
import type { InstalledService, ServiceHost } from '../service/service.ts';
import { claimFor } from './claim.ts';
import { removeData } from './data.ts';
import { killallSteps } from './killall.ts';
import { libraryFiles, programFiles, putOwnersCommandsBack } from './program-files.ts';
import type { Outcome, RemoveOptions } from './types.ts';
import { printOutcome, runSteps } from './steps.ts';
import type { Step } from './steps.ts';
import { undoAll, undoKinds } from './undo.ts';
import type { UndoOptions } from './undo.ts';

export interface UninstallOptions extends RemoveOptions {
  /** The file that runs. It goes if the installer put it there: not Node itself, nor one that was only built or copied. */
  readonly executable: string;
  /** The data dir, with the cluster in it, stays. */
  readonly keepData: boolean;
}

/** `killall`, and then everything the installer and kagent ever wrote. Run again, it finds nothing to do. */
export async function runUninstall(options: UninstallOptions): Promise<Outcome> {
  const undoLog = openUndoLog(options.paths.undoLog);
  const services = installedServices(options.managers);
  const steps = [...killallSteps(options, undoLog), ...uninstallSteps(options, undoLog, services)];
  const done = await runSteps(steps, options.print);
  const last =
    done.failed.length === 0
      ? await runSteps([lastStep(options, undoLog, services)], options.print)
      : keptProgram(options, services);
  const outcome = { stayed: [...done.stayed, ...last.stayed], failed: [...done.failed, ...last.failed] };
  printOutcome(outcome, options.print);
  return outcome;
}

/**
 * What has a name of ours (services, links, rules, the executable) is looked for, as a crash may leave more than was noted;
 * what has not (settings, files of the box that were changed, whose a folder was) is read in the undo log.
 */
function uninstallSteps(
  options: UninstallOptions,
  undoLog: UndoLog,
  services: readonly InstalledService[],
): readonly Step[] {
  const { paths, host, keepData, snapshotDir, parts } = options;
  const undoOptions = { host, restoreSysctl: parts.restoreSysctl };
  return [
    { title: 'settings put back', run: () => undoKinds(undoLog, ['sysctl', 'file', 'command'], undoOptions) },
    { title: 'service removed', run: () => removeServices(services, options) },
    { title: 'data removed', run: () => removeData({ paths, host, undoLog, keepData, snapshotDir }) },
  ];
}

/** At the end, and only where nothing has failed: with the undo log, and by the executable, an uninstallation is repeated. */
function lastStep(options: UninstallOptions, undoLog: UndoLog, services: readonly InstalledService[]): Step {
  const { paths, host, keepData, executable, parts } = options;
  const undoOptions = { host, restoreSysctl: parts.restoreSysctl };
  return {
    title: 'undo log and executable removed',
    run: async () => {
      const { folders, ...packages } = await closeUndoLog(undoLog, { paths, keepData, ...undoOptions });
      await removePrograms(executablesOf(executable, services), host);
      const { stayed, failed } = await undoAll(folders, undoOptions);
      return { stayed: [...(packages.stayed ?? []), ...stayed], failed };
    },
  };
}

async function removePrograms(executables: readonly string[], host: ServiceHost): Promise<void> {
  for (const path of executables.flatMap(programFiles)) await rm(path, { force: true });
  for (const path of executables) putOwnersCommandsBack(path);
  const libraries = libraryFiles(host);
  for (const path of libraries) await rm(path, { force: true });
  if (libraries.length > 0) await host.run('ldconfig', []);
}

function executablesOf(executable: string, services: readonly InstalledService[]): readonly string[] {
  return [...new Set([...services.map((service) => service.executable), executable])];
}

function keptProgram({ executable, paths }: UninstallOptions, services: readonly InstalledService[]): Outcome {
  const installed = executablesOf(executable, services).filter((path) => programFiles(path).length > 0);
  const again = `uninstall${paths.dataDir === defaultDataDir ? '' : ` --data-dir ${paths.dataDir}`}`;
  return {
    stayed: installed.map((path) => `${path}: what has failed can be tried again with it: ${path} ${again}`),
    failed: [],
  };
}

/** The undo log goes, and its folder; unless something in it is still to be undone. @returns also the folders made for the rest */
async function closeUndoLog(
  undoLog: UndoLog,
  options: UndoOptions & Pick<UninstallOptions, 'paths' | 'keepData'>,
): Promise<Undone & { readonly folders: readonly MadeOf<'folder'>[] }> {
  const { paths, keepData } = options;
  const packages = await undoKinds(undoLog, ['package'], options);
  const entries = undoLog.entries();
  const isDone = entries.every((made) => made.kind === 'claim' || made.kind === 'folder');
  if (keepData || !isDone) return { ...packages, folders: [] };
  const dataDir = claimFor(paths.dataDir, undoLog);
  undoLog.keepOnly([]);
  if (dataDir !== undefined && dataDir.before === undefined) removeEmptyFolder(paths.dataDir);
  return { ...packages, folders: entries.filter((made) => made.kind === 'folder') };
}

/** What is in it, if anything, was named already. */
function removeEmptyFolder(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EBUSY'].includes(systemCode(error) ?? '')) throw error;
  }
}

async function removeServices(
  services: readonly InstalledService[],
  { host }: Pick<UninstallOptions, 'host'>,
): Promise<Partial<Outcome>> {
  for (const service of services) {
    await removeService(service, host);
    const log = host.path(`/var/log/${service.name}.log`);
    for (const path of [log, `${log}.1`]) await rm(path, { force: true });
  }
  return {};
}
