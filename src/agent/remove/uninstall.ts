import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { readFileIfExists } from '../../shared/files/files.ts';
import { configDir, runPaths } from '../../shared/paths.ts';
import { installedServices, removeService } from '../../shared/service/service.ts';
import { claimedFolders, customaryFolders } from './claim.ts';
import { killallSteps, realParts } from './killall.ts';
import type { Outcome, RemoveOptions } from './remove.ts';
import { printOutcome, runSteps, type Step } from './steps.ts';
import { removeTree, together } from './tree.ts';

export interface UninstallOptions extends RemoveOptions {
  /** The file that runs. It goes if the installer put it there: not Node itself, nor one that was only built or copied. */
  readonly executable: string;
  /** The data dir, with the cluster in it, stays. */
  readonly keepData: boolean;
}

/** `killall`, and then everything the installer and kagent ever wrote. Run again, it finds nothing to do. */
export async function runUninstall(options: UninstallOptions): Promise<Outcome> {
  const steps = [...killallSteps(options), ...uninstallSteps(options)];
  const outcome = await runSteps(steps, options.print);
  printOutcome(outcome, options.print);
  return outcome;
}

function uninstallSteps(options: UninstallOptions): readonly Step[] {
  const { paths, host, managers, executable, keepData, parts = realParts } = options;
  const services = installedServices(managers);
  return [
    { title: 'kernel settings restored', run: async () => ({ failed: parts.restoreHost(paths) }) },
    {
      title: 'service removed',
      run: async () => {
        for (const service of services) {
          await removeService(service, host);
          const log = host.path(`/var/log/${service.name}.log`);
          for (const path of [log, `${log}.1`]) await rm(path, { force: true });
        }
        return {};
      },
    },
    {
      title: 'data removed',
      run: async () => {
        const claimed = claimedFolders(paths);
        const foreign = customaryFolders(paths).filter((folder) => exists(folder) && !claimed.includes(folder));
        const folders = keepData ? [] : [...claimed, paths.dataDir];
        const removed = await removeAll([...folders, host.path(runPaths.dir), host.path(configDir)]);
        return {
          failed: removed.failed,
          stayed: [
            ...removed.stayed,
            ...foreign.map((folder) => `${folder}: it was there before kagent`),
            ...(keepData ? [`${paths.dataDir}: as asked`] : []),
          ],
        };
      },
    },
    {
      title: 'executable removed',
      run: async () => {
        // Last, so that a run that was broken off can be repeated.
        const executables = new Set([...services.map((service) => service.executable), executable]);
        for (const path of [...executables].flatMap(programFiles)) await rm(path, { force: true });
        return {};
      },
    },
  ];
}

async function removeAll(folders: readonly string[]): Promise<Outcome> {
  const outcomes: Outcome[] = [];
  for (const folder of folders) outcomes.push(await removeTree(folder));
  return together(outcomes);
}

/**
 * The executable, the links beside it that lead to it, and the scripts that call it, whatever the service's name was.
 * None at all where those scripts are not: then it is not the installer's.
 */
export function programFiles(executable: string): readonly string[] {
  const dir = dirname(executable);
  if (!exists(dir)) return [];
  const paths = readdirSync(dir).map((name) => join(dir, name));
  const scripts = paths.filter((path) => /\/kagent[^/]*-(killall|uninstall)\.sh$/.test(path) && callsUs(path));
  if (scripts.length === 0) return [];
  const links = paths.filter(
    (path) => lstatSync(path).isSymbolicLink() && resolve(dir, readlinkSync(path)) === executable,
  );
  return [...links, ...scripts, executable];
}

function callsUs(path: string): boolean {
  return readFileIfExists(path)?.includes("Written by kagent's installer") === true;
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
