/**
 * @module
 * Taking kagent off a box: its processes and pods (`kagent killall`), then also its files and settings (`kagent uninstall`).
 * Knows: the order of it, which files are kagent's, mounts that are never descended into.
 * Leaves to others: how pods end (agent/runtime), links and rules (agent/network), kernel settings (checks/), units (host/service).
 */

export type { RemoveOptions, NodeParts, EndPodsOptions, NetworkRemoval, Outcome } from './types.ts';
export { runStop } from './stop.ts';
export { runKillall } from './killall.ts';
export { runUninstall, type UninstallOptions } from './uninstall.ts';
export { claimFolders } from './claim.ts';
