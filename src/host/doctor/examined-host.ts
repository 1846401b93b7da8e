import { hostname, networkInterfaces } from 'node:os';
import { hasStarted } from '../daemon/daemon.ts';
import type { DaemonStatus } from '../daemon/daemon.ts';
import { hostRoot, kernelFiles } from '../checks/checks.ts';
import type { KernelFiles } from '../checks/checks.ts';
import type { ExaminedHost } from './check.ts';
import { createTools } from './tools.ts';

/** What is to run on the box. */
export type HostPlan = Pick<
  ExaminedHost,
  'mode' | 'needs' | 'flannelBackend' | 'clusterCidr' | 'serviceCidr' | 'node' | 'resolvConf'
>;

/** A kagent that runs here, as its status says. */
export type Running = Pick<DaemonStatus, 'isStarted' | 'isReady' | 'components'>;

/**
 * This box, for what is to run on it.
 * @param running a kagent that runs here, as its status says
 */
export function examinedHost(plan: HostPlan, running?: Running): ExaminedHost {
  const root = hostRoot();
  let kernel: KernelFiles | undefined;
  return {
    ...plan,
    root,
    get kernel() {
      kernel ??= kernelFiles(root); // a start's few checks ask nothing of it
      return kernel;
    },
    hostname: hostname(),
    interfaces: networkInterfaces(),
    isRunning: running !== undefined,
    components: running !== undefined && hasStarted(running) ? running.components : [],
    tools: createTools(),
  };
}
