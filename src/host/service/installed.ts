import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from '../../shared/errors.ts';
import { readFileIfExists } from '../../shared/files/files.ts';
import { commandIn } from './definition.ts';
import type { ServiceCommandLine } from './definition.ts';
import type { ServiceHost } from './host.ts';
import { appliedFile } from './install.ts';
import { environmentIn, saidDataDir } from './said.ts';
import type { ServiceManager } from './types.ts';

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

export function dataDirOf(service: InstalledService, host: ServiceHost): string {
  return saidDataDir({ args: service.args, environment: environmentOf(service), host });
}

/** By its environment file; nothing for somebody who may not read it. */
export function environmentOf({ name, manager }: InstalledService): Readonly<NodeJS.ProcessEnv> {
  try {
    return environmentIn(readFileIfExists(manager.files(name).environment) ?? '');
  } catch (error) {
    if (systemCode(error) === 'EACCES') return {};
    throw error;
  }
}

/** Takes the service away: not at boot any more, and none of its files. It is stopped before. */
export async function removeService(service: InstalledService, host: ServiceHost): Promise<void> {
  const { name, manager } = service;
  await manager.disable(name);
  const { definition, environment } = manager.files(name);
  for (const path of [definition, environment, appliedFile(host, name)]) await rm(path, { force: true });
  await manager.reload();
  await manager.forget(name);
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
