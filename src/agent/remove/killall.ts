import { endLeftOvers, removeCgroups } from '../../shared/process/process.ts';
import { removeScopeDropIn, restoreSysctl } from '../host/host.ts';
import { removeNetwork } from '../network/network.ts';
import { endPods } from '../runtime/runtime.ts';
import type { BoxParts, Outcome, RemoveOptions } from './remove.ts';
import { stopKagent } from './stop.ts';
import { printOutcome, runSteps, type Step } from './steps.ts';

export const realParts: BoxParts = { endPods, removeNetwork, removeCgroups, restoreSysctl };

/** Ends kagent, its children and every pod, and takes their mounts, links, rules and cgroups away. Files stay. */
export async function runKillall(options: RemoveOptions): Promise<Outcome> {
  const outcome = await runSteps(killallSteps(options), options.print);
  printOutcome(outcome, options.print);
  return outcome;
}

export function killallSteps(options: RemoveOptions): readonly Step[] {
  const { paths, host, managers, log, parts = realParts } = options;
  return [
    {
      title: 'kagent stopped',
      run: () => stopKagent({ host, managers }),
    },
    {
      title: 'left-over children ended',
      run: async () => {
        await endLeftOvers(paths.children, log);
        return {};
      },
    },
    { title: 'pods ended', run: async () => ({ failed: (await parts.endPods(paths)).left }) },
    { title: 'links and rules removed', run: async () => ({ failed: (await parts.removeNetwork()).left }) },
    {
      title: 'cgroups removed',
      run: async () => {
        await removeScopeDropIn(host);
        return { failed: parts.removeCgroups().map((path) => `${path} is in use`) };
      },
    },
  ];
}
