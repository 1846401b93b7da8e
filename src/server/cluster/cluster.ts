/**
 * @module
 * What a cluster is made of before it runs: its networks, the settings that stay, the addresses of its servers.
 * Knows: ranges and how many nodes fit, what may not change, where this server is reached.
 * Leaves to others: certificates (pki/), who may join (join/), what is told to nodes (nodes/).
 */
export { keepClusterSettings } from './cluster-settings.ts';
export { checkBindAddress, checkNetworks, clusterDnsOf, nodeCidrMaskSize } from './networks.ts';
export { ServerDirectory } from './directory.ts';
export { alwaysLeading, createLeadership, whileLeading } from './leadership.ts';
export type { Leadership } from './leadership.ts';
export { createServers, serversPrefix } from './servers.ts';
export type { Servers } from './servers.ts';
export { helmUser } from './helm.ts';
export type { HelmProgram } from './helm.ts';
export { metricsServer } from './metrics-server.ts';
export { forOneServer, forSeveralServers } from './server-count.ts';
export type { ProgramFlags } from './server-count.ts';
export { ownAddresses } from './server-addresses.ts';
export type { OwnAddresses } from './server-addresses.ts';
