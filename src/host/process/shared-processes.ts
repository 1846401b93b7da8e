import type { SharedProcessSpec } from './types.ts';

/** The processes that kagent's Kubernetes programs are parts of. The executables are links in the bundle (components/kubernetes). */
export const controlPlaneProcess: SharedProcessSpec = {
  name: 'kube-control-plane',
  parts: ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'metrics-server'],
};

export const nodeProcess: SharedProcessSpec = {
  name: 'kube-node',
  parts: ['kubelet', 'kube-proxy', 'flanneld', 'network-policies'],
};
