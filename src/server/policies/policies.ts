/**
 * @module
 * What is applied to every cluster so that its nodes and kagent's own users have the rights they need, and no more.
 * Knows: RBAC rules, admission policies in CEL. Leaves to others: applying them (manifests/), who is who (identity/, join/).
 */
import type { PackagedManifest } from '../addons/addons.ts';
import { nodeAddressesManifest } from './node-addresses.ts';
import type { NodeAddressSettings } from './node-addresses.ts';
import { nodeRoutingManifest } from './node-routing.ts';
import { rbacManifest } from './rbac.ts';
import type { RbacSettings } from './rbac.ts';

/** Files in the order in which they are applied: rights first, since flannel waits for its own. */
export function policyManifests(settings: NodeAddressSettings & RbacSettings): readonly PackagedManifest[] {
  return [
    { name: '00-kagent-rbac', text: rbacManifest(settings) },
    { name: '01-kagent-node-routing', text: nodeRoutingManifest() },
    { name: '02-kagent-node-addresses', text: nodeAddressesManifest(settings) },
  ];
}
