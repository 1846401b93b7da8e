import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readFileIfExists } from '../files/files.ts';
import { commandIn, type ServiceCommandLine } from './definition.ts';
import { shellWords } from './quote.ts';
import type { ServiceHost } from './host.ts';
import { appliedFile } from './install.ts';
import type { ServiceManager } from './service.ts';

export interface InstalledService extends ServiceCommandLine {
  readonly name: string;
  readonly manager: ServiceManager;
}

/** Every service of these managers that kagent's installer wrote, whatever its name. */
export function installedServices(managers: readonly ServiceManager[]): readonly InstalledService[] {
  return managers.flatMap((manager) => {
    const pattern = manager.files('*').definition;
    const [prefix = '', suffix = ''] = pattern.split('*');
    return filesIn(dirname(pattern))
      .filter((path) => path.startsWith(prefix) && path.endsWith(suffix))
      .flatMap((path) => {
        const command = commandIn(readFileIfExists(path) ?? '');
        const name = path.slice(prefix.length, path.length - suffix.length);
        return command === undefined ? [] : [{ name, manager, ...command }];
      });
  });
}

/** The data dir a service was told, by a flag or in its environment file. */
export function dataDirOf({ name, manager, args }: InstalledService): string | undefined {
  const flag = args.findIndex((arg) => arg === '--data-dir' || arg.startsWith('--data-dir='));
  if (flag >= 0) return args[flag]?.split('=')[1] ?? args[flag + 1];
  const environment = readFileIfExists(manager.files(name).environment) ?? '';
  const line = environment.split('\n').find((candidate) => candidate.startsWith('KAGENT_DATA_DIR='));
  return line === undefined ? undefined : shellWords(line.slice('KAGENT_DATA_DIR='.length))[0];
}

/** Takes the service away: not at boot any more, and none of its files. It is stopped before. */
export async function removeService(service: InstalledService, host: ServiceHost): Promise<void> {
  const { name, manager } = service;
  await manager.disable(name);
  const { definition, environment } = manager.files(name);
  for (const path of [definition, environment, appliedFile(host, name)]) await rm(path, { force: true });
  await manager.reload();
}

function filesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `${dir}/${entry.name}`);
  } catch {
    return []; // no such manager on this box
  }
}
