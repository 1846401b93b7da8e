import { rmdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { systemCode } from '../../shared/errors.ts';
import { openJournal, type Journal, type Undone } from '../../shared/journal/journal.ts';
import { installedServices, removeService, type InstalledService } from '../../shared/service/service.ts';
import { claimFor } from './claim.ts';
import { removeData } from './data.ts';
import { killallSteps, realParts } from './killall.ts';
import { libraryFiles, programFiles, putOwnersCommandsBack } from './program-files.ts';
import type { Outcome, RemoveOptions } from './remove.ts';
import { printOutcome, runSteps, type Step } from './steps.ts';
import { undoAll, undoKinds, type UndoOptions } from './undo.ts';

export interface UninstallOptions extends RemoveOptions {
  /** The file that runs. It goes if the installer put it there: not Node itself, nor one that was only built or copied. */
  readonly executable: string;
  /** The data dir, with the cluster in it, stays. */
  readonly keepData: boolean;
}

/** `killall`, and then everything the installer and kagent ever wrote. Run again, it finds nothing to do. */
export async function runUninstall(options: UninstallOptions): Promise<Outcome> {
  const journal = openJournal(options.paths.journal);
  const steps = [...killallSteps(options, journal), ...uninstallSteps(options, journal)];
  const outcome = await runSteps(steps, options.print);
  printOutcome(outcome, options.print);
  return outcome;
}

/**
 * What has a name of ours (services, links, rules, the executable) is looked for, as a crash may leave more than was noted;
 * what has not (settings, files of the box that were changed, whose a folder was) is read in the journal.
 */
function uninstallSteps(options: UninstallOptions, journal: Journal): readonly Step[] {
  const { paths, host, managers, executable, keepData, snapshotDir, parts = realParts } = options;
  const services = installedServices(managers);
  const undoOptions = { host, restoreSysctl: parts.restoreSysctl };
  return [
    { title: 'settings put back', run: () => undoKinds(journal, ['sysctl', 'file', 'command'], undoOptions) },
    { title: 'service removed', run: () => removeServices(services, options) },
    { title: 'data removed', run: () => removeData({ paths, host, journal, keepData, snapshotDir }) },
    {
      title: 'executable removed',
      run: async () => {
        // Late, so that a run that was broken off can be repeated.
        const executables = [...new Set([...services.map((service) => service.executable), executable])];
        for (const path of executables.flatMap(programFiles)) await rm(path, { force: true });
        for (const path of executables) putOwnersCommandsBack(path);
        const libraries = libraryFiles(host);
        for (const path of libraries) await rm(path, { force: true });
        if (libraries.length > 0) await host.run('ldconfig', []);
        return {};
      },
    },
    { title: 'journal closed', run: () => closeJournal(journal, { paths, keepData, ...undoOptions }) },
  ];
}

/** The journal goes, its folder, and the folders made for the rest; unless something in it is still to be undone. */
async function closeJournal(
  journal: Journal,
  options: UndoOptions & Pick<UninstallOptions, 'paths' | 'keepData'>,
): Promise<Undone> {
  const { paths, keepData } = options;
  const packages = await undoKinds(journal, ['package'], options);
  const entries = journal.entries();
  const isDone = entries.every((made) => made.kind === 'claim' || made.kind === 'folder');
  if (keepData || !isDone) return packages;
  const dataDir = claimFor(paths.dataDir, journal);
  journal.keepOnly([]);
  if (dataDir !== undefined && dataDir.before === undefined) removeEmptyFolder(paths.dataDir);
  const { stayed, failed } = await undoAll(
    entries.filter((made) => made.kind === 'folder'),
    options,
  );
  return { stayed: [...(packages.stayed ?? []), ...stayed], failed };
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
