/**
 * @module
 * The node's two Kubernetes programs: kubelet and kube-proxy.
 * Knows: their configuration files, flags and what the operator may add to them, readiness. Leaves to others: certificates and kubeconfigs (join/), containers
 * (runtime/), pods' addresses (network/), whether the API calls the node Ready.
 */
export { kubeletComponent, type KubeletOptions } from './kubelet.ts';
export { kubeletConfiguration, type KubeletSettings } from './kubelet-config.ts';
export { kubeletRules, kubeProxyRules } from './argument-rules.ts';
export { kubeProxyComponent, kubeProxyFlags, type KubeProxyOptions } from './kube-proxy.ts';
export { endDnsPods, nodeReady, podCidr } from './own-node.ts';
