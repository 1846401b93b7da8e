import { serviceVariable } from './definition.ts';
import { removedExitCode, wrongUsageExitCode } from '../../shared/exit-codes.ts';
import type { ServiceHost } from './host.ts';
import { createServiceManager, detectServiceManager } from './managers.ts';

/**
 * Called at the end of a service that another start would not heal. After wrong usage it stays down until somebody starts
 * it; a node that was removed from its cluster does not come back at the next boot either. A person who starts it joins
 * it anew.
 * @returns a sentence for the log, if there is something to know
 */
export async function giveUp(
  code: number,
  env: Readonly<NodeJS.ProcessEnv>,
  host: ServiceHost,
): Promise<string | undefined> {
  const name = env[serviceVariable];
  if (name === undefined || (code !== wrongUsageExitCode && code !== removedExitCode)) return undefined;
  const manager = createServiceManager(detectServiceManager(host), { host });
  if (code === removedExitCode) await manager.disable(name);
  await manager.endRestarts(name);
  if (code === wrongUsageExitCode) return undefined;
  return `${name} does not start at boot any more; the installer, run again, makes this box a node again`;
}
