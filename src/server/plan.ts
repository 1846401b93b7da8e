/** What a server is going to be, before anything of it is made: its cluster's settings, where and by which names it is reached. */
import { join } from 'node:path';
import type { ClusterSettings } from '../shared/protocol/join.ts';
import { clusterDnsOf, ownAddresses, ServerDirectory } from './cluster/cluster.ts';
import type { OwnAddresses } from './cluster/cluster.ts';
import { apiserverNames } from './control-plane/control-plane.ts';
import type { ServerOptions } from './types.ts';

export interface ServerPlan extends ServerOptions {
  readonly settings: ClusterSettings;
  readonly reached: OwnAddresses;
  /** The server's own node; undefined where it runs none. */
  readonly ownNode: string | undefined;
  readonly binDir: string;
  /** Further names and addresses of this host, as they are now. */
  readonly tlsSans: () => readonly string[];
  /** What its certificates name, as it is now. */
  readonly names: () => { readonly dnsNames: readonly string[]; readonly ipAddresses: readonly string[] };
  readonly servers: ServerDirectory;
}

export function planOf(options: ServerOptions): ServerPlan {
  const { config, nodeName, nodeIp, currentDir, addresses } = options;
  const reached = ownAddresses(config, nodeIp);
  const { local, advertised, advertiseAddress } = reached;
  const tlsSans = () => [nodeName, nodeIp, new URL(local.apiserverUrl).hostname, ...addresses(), ...config.tlsSan];
  return {
    ...options,
    settings: settingsOf(options),
    reached,
    ownNode: config.disableAgent ? undefined : nodeName,
    binDir: join(currentDir, 'bin'),
    tlsSans,
    names: () => apiserverNames({ ...config, advertiseAddress, tlsSans: tlsSans() }),
    servers: new ServerDirectory(nodeName, advertised, config),
  };
}

function settingsOf({ config }: ServerOptions): ClusterSettings {
  return {
    clusterCidr: config.clusterCidr,
    serviceCidr: config.serviceCidr,
    clusterDns: clusterDnsOf(config),
    clusterDomain: config.clusterDomain,
    flannelBackend: config.flannelBackend,
    ...(config.disableKubeProxy && { disableKubeProxy: true }),
    ...(config.disable.includes('coredns') && { disableCoredns: true }),
  };
}
