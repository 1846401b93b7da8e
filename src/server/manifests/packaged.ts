import { corednsManifest } from './packaged/coredns.ts';
import { nodeAddressesManifest, type NodeAddressSettings } from './packaged/node-addresses.ts';
import { nodeRoutingManifest } from './packaged/node-routing.ts';
import { rbacManifest } from './packaged/rbac.ts';

export interface PackagedSettings extends NodeAddressSettings {
  readonly clusterDns: string;
  readonly clusterDomain: string;
  readonly corednsImage: string;
}

/** The files kagent brings, in the order of their names: rights first, since flannel waits for its own. */
export function packagedManifests(
  settings: PackagedSettings,
): readonly { readonly name: string; readonly text: string }[] {
  return [
    { name: '00-kagent-rbac', text: rbacManifest() },
    { name: '01-kagent-node-routing', text: nodeRoutingManifest() },
    { name: '02-kagent-node-addresses', text: nodeAddressesManifest(settings) },
    { name: 'coredns', text: corednsManifest(settings) },
  ];
}
