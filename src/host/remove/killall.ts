import { openUndoLog } from '../undo-log/undo-log.ts';
import type { UndoLog } from '../undo-log/undo-log.ts';
import { endLeftOvers } from '../process/process.ts';
import { removeScopeDropIn, routeLocalnet } from '../checks/checks.ts';
import type { NodeParts, Outcome, RemoveOptions } from './types.ts';
import { stopKagent } from './stop.ts';
import { printOutcome, runSteps } from './steps.ts';
import type { Step } from './steps.ts';
import { othersPods } from './claim.ts';
import { undoNetworkSysctls } from './undo.ts';

/**
 * Ends kagent, its children and every pod, and takes their mounts, links, rules and cgroups away. Files stay.
 *
 * The order is safe at each step: the kernel's settings for the network are put back before the rules go that keep them from
 * opening this box to its neighbours.
 */
export async function runKillall(options: RemoveOptions): Promise<Outcome> {
  const outcome = await runSteps(killallSteps(options), options.print);
  printOutcome(outcome, options.print);
  return outcome;
}

export function killallSteps(
  options: RemoveOptions,
  undoLog: UndoLog = openUndoLog(options.paths.undoLog),
): readonly Step[] {
  const { paths, host, managers, log, parts } = options;
  const wasOpenBefore = undoLog
    .entries()
    .some((made) => made.kind === 'sysctl' && made.name === routeLocalnet && made.before === '1');
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
    {
      title: 'pods ended',
      run: async () => {
        const { left, stayed } = await parts.endPods({ paths, others: othersPods(paths, undoLog) });
        return { failed: left, stayed };
      },
    },
    {
      title: 'network settings put back',
      run: () => undoNetworkSysctls(undoLog, { host, restoreSysctl: parts.restoreSysctl }),
    },
    { title: 'links and rules removed', run: () => removeNetwork(parts, paths.bin, wasOpenBefore) },
    {
      title: 'cgroups removed',
      run: async () => {
        await removeScopeDropIn(host);
        return { failed: parts.removeCgroups().map((path) => `${path} is in use`) };
      },
    },
  ];
}

async function removeNetwork(parts: NodeParts, binDir: string, wasOpenBefore: boolean): Promise<Partial<Outcome>> {
  const keepLoopbackGuard = parts.routesLocalnet() && !wasOpenBefore;
  const { left } = await parts.removeNetwork({ keepLoopbackGuard, binDir });
  return {
    failed: left,
    stayed: keepLoopbackGuard
      ? [
          'the iptables chain KUBE-FIREWALL: net.ipv4.conf.all.route_localnet is 1, and without it neighbours would reach 127.0.0.1; set it to 0 and run this again',
        ]
      : [],
  };
}
