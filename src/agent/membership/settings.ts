import type { ClusterSettings } from '../../shared/protocol/join.ts';
import { SettingDiffersError } from './errors.ts';

/** What an operator may say of the cluster on an agent's box, where it can only agree. */
export type GivenSettings = { readonly [Name in keyof ClusterSettings]?: ClusterSettings[Name] | undefined };

const flags = {
  clusterCidr: 'cluster-cidr',
  serviceCidr: 'service-cidr',
  clusterDns: 'cluster-dns',
  clusterDomain: 'cluster-domain',
  flannelBackend: 'flannel-backend',
} as const;

/** @throws {SettingDiffersError} the first that is not the cluster's */
export function checkSettings(given: GivenSettings, cluster: ClusterSettings): void {
  for (const name of Object.keys(flags) as readonly (keyof typeof flags)[]) {
    const value = given[name];
    if (value !== undefined && value !== cluster[name])
      throw new SettingDiffersError(flags[name], value, cluster[name]);
  }
}
