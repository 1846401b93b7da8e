/** By which addresses nodes reach this server: its own, and the one a node has come by. */
import { isIPv4 } from 'node:net';
import { listeningAt } from '../../shared/listen/listen.ts';
import type { ServerAddress } from '../../shared/protocol/channel.ts';

/** Where this server listens: every other room is told by these. */
export interface OwnAddresses {
  /** For what runs on this host. */
  readonly local: ServerAddress;
  /** For nodes and people elsewhere. */
  readonly advertised: ServerAddress;
  /** kube-apiserver's, in the cluster. */
  readonly advertiseAddress: string;
}

/** One address that is not loopback's is the only one at which the server is reached, from here and from elsewhere. */
export function ownAddresses(
  config: ServerPorts & { readonly bindAddress: string; readonly advertiseAddress?: string | undefined },
  nodeIp: string,
): OwnAddresses {
  const local = listeningAt(config.bindAddress);
  const reached = local.startsWith('127.') ? nodeIp : local;
  const advertiseAddress = config.advertiseAddress ?? reached;
  return {
    local: addressesAt(local, config),
    advertised: {
      ...addressesAt(advertiseAddress, config),
      supervisorUrl: addressesAt(reached, config).supervisorUrl,
    },
    advertiseAddress,
  };
}

export interface ServerPorts {
  readonly supervisorPort: number;
  readonly httpsListenPort: number;
}

/**
 * @param reachedAt the address at which a connection of the node was accepted: it goes first, since the others may lead
 * elsewhere from there
 */
export function serversFor(
  own: ServerAddress,
  ports: ServerPorts,
  reachedAt: string | undefined,
): readonly ServerAddress[] {
  if (reachedAt === undefined || !isIPv4(reachedAt) || reachedAt.startsWith('127.')) return [own];
  const reached = addressesAt(reachedAt, ports);
  const isOwn = reached.supervisorUrl === own.supervisorUrl && reached.apiserverUrl === own.apiserverUrl;
  return isOwn ? [own] : [reached, own];
}

export function addressesAt(host: string, { supervisorPort, httpsListenPort }: ServerPorts): ServerAddress {
  return { supervisorUrl: `https://${host}:${supervisorPort}`, apiserverUrl: `https://${host}:${httpsListenPort}` };
}
