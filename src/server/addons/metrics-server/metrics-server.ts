import { metricsServer as program } from '../../cluster/cluster.ts';
import type { Addon, AddonSettings } from '../types.ts';

const name = 'metrics-server';

/**
 * What makes metrics.k8s.io part of the API. The program itself is a part of the control plane's process
 * (control-plane/metrics-server), with no pod and no image.
 */
export const metricsServer: Addon = {
  name,
  summary: 'CPU and memory of nodes and pods (kubectl top, autoscaling)',
  images: [],
  manifest: (settings) => [rights, service, endpoints(settings), apiService(settings)].join('---\n'),
};

const rights = `# Written by kagent at each start; changes here are lost.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: system:aggregated-metrics-reader
  labels:
    rbac.authorization.k8s.io/aggregate-to-admin: "true"
    rbac.authorization.k8s.io/aggregate-to-edit: "true"
    rbac.authorization.k8s.io/aggregate-to-view: "true"
rules:
- apiGroups: [metrics.k8s.io]
  resources: [pods, nodes]
  verbs: [get, list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: system:metrics-server
rules:
- apiGroups: [""]
  resources: [nodes/metrics]
  verbs: [get]
- apiGroups: [""]
  resources: [pods, nodes]
  verbs: [get, list, watch]
---
${binding('system:metrics-server')}---
${binding('system:auth-delegator')}`;

function binding(role: string): string {
  return `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: ${role === 'system:metrics-server' ? role : `metrics-server:${role}`}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: ${role}
subjects:
- apiGroup: rbac.authorization.k8s.io
  kind: User
  name: ${program.user}
`;
}

const service = `apiVersion: v1
kind: Service
metadata:
  name: metrics-server
  namespace: kube-system
  labels:
    k8s-app: metrics-server
    kubernetes.io/name: Metrics-server
spec:
  ports:
  - {name: https, port: 443, protocol: TCP, targetPort: https}
`;

/** Of no pod: where kube-apiserver asks for it, the server's tunnel leads to it. */
const endpoints = ({ advertiseAddress }: AddonSettings) => `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: metrics-server-kagent
  namespace: kube-system
  labels:
    kubernetes.io/service-name: metrics-server
    endpointslice.kubernetes.io/managed-by: kagent
addressType: IPv4
endpoints:
- addresses: ["${advertiseAddress}"]
  conditions: {ready: true}
ports:
- {name: https, port: ${program.port}, protocol: TCP}
`;

const apiService = ({ serverCaPem }: AddonSettings) => `apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata:
  name: v1beta1.metrics.k8s.io
spec:
  group: metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  caBundle: ${Buffer.from(serverCaPem).toString('base64')}
  service:
    name: metrics-server
    namespace: kube-system
`;
