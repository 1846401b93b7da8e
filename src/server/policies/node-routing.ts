import { bindingTo, byFlannel, byKubelet, eachNode, otherIsReady, policyHead } from './policy.ts';

const flannelPrefix = 'flannel.alpha.coreos.com/';
/** Which flanneld writes; the others of its prefix are people's. */
const flannels = ['backend-data', 'backend-type', 'kube-subnet-manager', 'public-ip'];

const isOther = `params.metadata.name != object.metadata.name && ${otherIsReady}`;

/** Quoted for YAML, which needs no more of a CEL expression without line breaks. */
const yaml = (expression: string) => JSON.stringify(expression);

/**
 * What a node may say of where packets go. kube-controller-manager gives a node its pods' range, flanneld says by which address
 * and with which key the range is reached; what a node said of another's range, address or key would bring it that node's
 * packets. The kubelet's user (NodeRestriction keeps it to its own node) says nothing of it. flanneld's says the four things
 * that it writes, each in the one form in which it writes it, so that equal ones are equal texts.
 *
 * The last policy is asked once for each other node, which is its parameter. A node that is not Ready has lost what it claims:
 * DHCP may have given its address away, and a machine may have got another name.
 * @see flannel v0.28 pkg/subnet/kube/annotations.go
 */
export function nodeRoutingManifest(): string {
  return `# Written by kagent at each start; changes here are lost.
${[kubeletRouting(), flannelAnnotations(), flannelOthers()].join('\n---\n')}
`;
}

function kubeletRouting(): string {
  return `${policyHead({
    name: 'kagent-kubelet-routing',
    rules: [{ operations: 'CREATE, UPDATE', resources: 'nodes, nodes/status' }],
    conditions: [byKubelet],
  })}
  variables:
${annotationVariables}
  - name: oldCIDR
    expression: ${yaml("oldObject == null ? '' : oldObject.?spec.?podCIDR.orValue('')")}
  - name: oldCIDRs
    expression: ${yaml('oldObject == null ? [] : oldObject.?spec.?podCIDRs.orValue([])')}
  validations:
  - expression: ${yaml("object.?spec.?podCIDR.orValue('') == variables.oldCIDR && object.?spec.?podCIDRs.orValue([]) == variables.oldCIDRs")}
    reason: Forbidden
    message: a node does not choose its pods' range (spec.podCIDR, spec.podCIDRs); kube-controller-manager gives it one
  - expression: ${yaml(unchangedAnnotations(`k.startsWith('${flannelPrefix}')`))}
    reason: Forbidden
    message: a kubelet does not write flannel's annotations
---
${bindingTo('kagent-kubelet-routing')}`;
}

function flannelAnnotations(): string {
  return `${policyHead({
    name: 'kagent-flannel-annotations',
    rules: [{ operations: 'UPDATE', resources: 'nodes, nodes/status' }],
    conditions: [byFlannel],
  })}
  variables:
${annotationVariables}
  - name: own
    expression: ${yaml(JSON.stringify(flannels.map((name) => flannelPrefix + name)).replaceAll('"', "'"))}
  validations:
  - expression: ${yaml(unchangedAnnotations('!(k in variables.own)'))}
    reason: Forbidden
    message: flannel writes its own annotations only
  - expression: ${yaml(['labels', 'finalizers', 'ownerReferences'].map(unchanged('metadata')).join(' && '))}
    reason: Forbidden
    message: flannel does not change a node's labels, finalizers and owners
  - expression: ${yaml(['addresses', 'daemonEndpoints'].map(unchanged('status')).join(' && '))}
    reason: Forbidden
    message: flannel does not change how a node is reached
  - expression: ${yaml(`variables.new[?'${flannelPrefix}backend-type'].orValue('vxlan') in ['vxlan', 'host-gw', 'wireguard']`)}
    reason: Forbidden
    message: the backend is none of vxlan, host-gw and wireguard
  - expression: ${yaml(`variables.new[?'${flannelPrefix}backend-data'].orValue('null').matches('${backendData}')`)}
    reason: Forbidden
    message: backend-data is not as flannel writes it
  - expression: ${yaml(`variables.new[?'${flannelPrefix}public-ip'].optMap(a, isIP(a) && ip(a).family() == 4 && ip(a).isGlobalUnicast() && string(ip(a)) == a).orValue(true)`)}
    reason: Forbidden
    message: public-ip is no IPv4 address of a host
---
${bindingTo('kagent-flannel-annotations')}`;
}

/** Asked once for each other node. */
function flannelOthers(): string {
  return `${policyHead({
    name: 'kagent-flannel-others',
    paramKind: 'Node',
    rules: [{ operations: 'UPDATE', resources: 'nodes, nodes/status' }],
    conditions: [byFlannel],
  })}
  variables:
${annotationVariables}
  - name: theirs
    expression: ${yaml('params.metadata.?annotations.orValue({})')}
  - name: address
    expression: ${yaml(changedValue('public-ip'))}
  - name: data
    expression: ${yaml(changedValue('backend-data'))}
  validations:
  - expression: ${yaml(`!(${isOther}) || variables.address == '' || (variables.theirs[?'${flannelPrefix}public-ip'].orValue('') != variables.address && !params.?status.?addresses.orValue([]).exists(a, a.address == variables.address))`)}
    reason: Forbidden
    message: public-ip is the address of another node that is Ready
  - expression: ${yaml(`!(${isOther}) || variables.data in ['', 'null'] || variables.theirs[?'${flannelPrefix}backend-data'].orValue('') != variables.data`)}
    reason: Forbidden
    message: backend-data has the address or key of another node that is Ready
---
${bindingTo('kagent-flannel-others', eachNode)}`;
}

/** The network's id is always 1; the last character of a key has two bits that count for nothing, and are zero. */
const backendData = [
  'null',
  '[{]"VNI":1,"VtepMAC":"([0-9a-f]{2}:){5}[0-9a-f]{2}"[}]',
  '[{]"PublicKey":"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="[}]',
]
  .map((form) => `^${form}$`)
  .join('|');

const annotationVariables = `  - name: new
    expression: ${yaml('object.metadata.?annotations.orValue({})')}
  - name: old
    expression: ${yaml('oldObject == null ? {} : oldObject.metadata.?annotations.orValue({})')}`;

/** @param which says of the key `k` whether it is meant */
function unchangedAnnotations(which: string): string {
  return (
    `variables.new.all(k, !(${which}) || (k in variables.old && variables.old[k] == variables.new[k]))` +
    ` && variables.old.all(k, !(${which}) || k in variables.new)`
  );
}

function unchanged(parent: string): (field: string) => string {
  return (field) => `object.?${parent}.?${field} == oldObject.?${parent}.?${field}`;
}

/** Of an annotation of flannel's; empty if it is as it was. */
function changedValue(name: string): string {
  const value = (map: string) => `variables.${map}[?'${flannelPrefix}${name}'].orValue('')`;
  return `${value('new')} == ${value('old')} ? '' : ${value('new')}`;
}
