import { bindingTo, byKubelet, eachNode, otherIsReady, policyHead } from './policy.ts';
import type { PolicyHead } from './policy.ts';

export interface NodeAddressSettings {
  readonly clusterCidr: string;
  readonly serviceCidr: string;
}

/**
 * What a kubelet may say of its node's addresses: kagent's own connections go by the server's record, but others read the
 * Node. Not the name of another node, not an address of pods or Services, and none that a Ready node has; the second policy is
 * asked once for each other node, which is its parameter.
 */
export function nodeAddressesManifest({ clusterCidr, serviceCidr }: NodeAddressSettings): string {
  const ofRange = `isIP(a.address) && (cidr('${clusterCidr}').containsIP(a.address) || cidr('${serviceCidr}').containsIP(a.address))`;
  const theirs = `params.?status.?addresses.orValue([]).exists(b, b.type == 'InternalIP' && b.address == a.address)`;
  const isInternal = `a.type == 'InternalIP'`;
  return `# Written by kagent at each start; changes here are lost.
${policyHead({ name: 'kagent-node-addresses', ...ofKubelets })}
${variables}
  validations:
  - expression: "variables.addresses.all(a, a.type != 'Hostname' || a.address == object.metadata.name)"
    reason: Forbidden
    message: a node's Hostname is its own name
  - expression: "variables.addresses.all(a, !(${ofRange}))"
    reason: Forbidden
    message: a node's address is none of the ranges of pods and Services
---
${bindingTo('kagent-node-addresses')}
---
${policyHead({ name: 'kagent-node-addresses-others', paramKind: 'Node', ...ofKubelets })}
${variables}
  validations:
  - expression: "params.metadata.name == object.metadata.name || !(${otherIsReady}) || !variables.addresses.exists(a, ${isInternal} && ${theirs})"
    reason: Forbidden
    message: the address is that of another node that is Ready
---
${bindingTo('kagent-node-addresses-others', eachNode)}
`;
}

/** Asked where a kubelet registers its node or changes the addresses. */
const ofKubelets: Pick<PolicyHead, 'rules' | 'conditions'> = {
  rules: [
    { operations: 'CREATE', resources: 'nodes' },
    { operations: 'UPDATE', resources: 'nodes/status' },
  ],
  conditions: [
    byKubelet,
    [
      'changed',
      'oldObject == null || object.?status.?addresses.orValue([]) != oldObject.?status.?addresses.orValue([])',
    ],
  ],
};

const variables = `  variables:
  - name: addresses
    expression: "object.?status.?addresses.orValue([])"`;
