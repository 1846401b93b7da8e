import { usualRanges } from '../shared/protocol/join.ts';
import type { ClusterSettings } from '../shared/protocol/join.ts';
import { ownNetworks } from '../shared/proxy/proxy.ts';
import { networkOf } from '../host/checks/checks.ts';
import type { Membership } from './membership/membership.ts';

/** What this node reaches without a proxy: the cluster's own, as far as it is known here, and what is on its own network. */
export function reachedDirectly(options: {
  readonly membership: Pick<Membership, 'facts' | 'isJoined' | 'settings' | 'serverHosts'>;
  /** Of a server's own node; another one learns them when it joins. */
  readonly settings: ClusterSettings | undefined;
  readonly externalIps: readonly string[];
}): readonly string[] {
  const { membership, settings, externalIps } = options;
  const { nodeName, nodeIp } = membership.facts;
  const known = settings ?? (membership.isJoined ? membership.settings : undefined);
  return ownNetworks({
    clusterCidr: known?.clusterCidr ?? usualRanges.clusterCidr,
    serviceCidr: known?.serviceCidr ?? usualRanges.serviceCidr,
    clusterDomain: known?.clusterDomain ?? 'cluster.local',
    hosts: [...membership.serverHosts, nodeName, nodeIp, ...externalIps, ...networkOf(nodeIp)],
  });
}
