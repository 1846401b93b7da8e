/** What a node's rooms take away when kagent leaves the host. */
import { hostRoot, restoreSysctl, routeLocalnet } from '../host/checks/checks.ts';
import { removeCgroups } from '../host/process/process.ts';
import type { NodeParts } from '../host/remove/remove.ts';
import { removeNetwork } from './network/network.ts';
import { endPods } from './runtime/runtime.ts';

export const nodeParts: NodeParts = {
  endPods,
  removeNetwork,
  removeCgroups,
  restoreSysctl,
  routesLocalnet: () => hostRoot().read(`/proc/sys/${routeLocalnet}`)?.trim() === '1',
};
