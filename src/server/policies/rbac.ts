import { kubeletClientUser } from '../control-plane/control-plane.ts';
import { flannelUserPrefix } from '../identity/identity.ts';
import { flannelGroup } from '../join/join.ts';
import { bindingTo, byFlannel, policyHead } from './policy.ts';

export interface RbacSettings {
  /** Nodes enforce NetworkPolicies. */
  readonly networkPolicies: boolean;
}

/**
 * Rights of kagent's own users. flannel reads all nodes and writes annotations through their status; the policy keeps
 * it to the node whose name its user ends with, as NodeRestriction does for kubelets.
 */
export function rbacManifest(settings: RbacSettings): string {
  return `# Written by kagent at each start; changes here are lost.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: kagent:kube-apiserver-kubelet-client
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: system:kubelet-api-admin
subjects:
- apiGroup: rbac.authorization.k8s.io
  kind: User
  name: ${kubeletClientUser}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: kagent:flannel
rules:
- apiGroups: [""]
  resources: [nodes]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [nodes/status]
  verbs: [patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: kagent:flannel
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: kagent:flannel
subjects:
- apiGroup: rbac.authorization.k8s.io
  kind: Group
  name: ${flannelGroup}
---
${policyHead({
  name: 'kagent-flannel-own-node',
  rules: [{ operations: 'UPDATE', resources: 'nodes, nodes/status' }],
  conditions: [byFlannel],
})}
  validations:
  - expression: "request.userInfo.username == '${flannelUserPrefix}' + object.metadata.name"
    message: flannel may change its own node only
---
${bindingTo('kagent-flannel-own-node')}
${networkPolicies(settings)}`;
}

/**
 * For kube-proxy's user, which is every node's: a policy names pods of the whole cluster by their labels and their namespaces'.
 * It may write events already. Who may read policies, and no namespaces, is told by that to enforce none
 * (components/kubernetes/networkpolicies).
 */
const networkPolicies = (settings: RbacSettings) => `---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: kagent:network-policies
rules:
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [list, watch]
${settings.networkPolicies ? podsAndNamespaces : ''}---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: kagent:network-policies
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: kagent:network-policies
subjects:
- apiGroup: rbac.authorization.k8s.io
  kind: User
  name: system:kube-proxy
`;

const podsAndNamespaces = `- apiGroups: [""]
  resources: [pods, namespaces]
  verbs: [list, watch]
`;
