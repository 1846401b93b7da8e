/**
 * @module
 * The pods' network: flanneld between nodes, a CNI configuration and network policies on this one, and taking all of it away.
 * Knows: flannel's net-conf.json and subnet.env, CNI's conflist, links and rules of a node, whether the cluster's DNS answers.
 * Leaves to others: Services (node/kube-proxy), which subnet a node has (kube-controller-manager).
 */
export { clusterDns } from './cluster-dns.ts';
export { flannelComponent, type FlannelOptions } from './flannel.ts';
export { flannelConfig, subnetOf, type Subnet } from './subnet.ts';
export { cniBinDirs, cniComponent, cniConflist, cniConfDir, type CniOptions } from './cni.ts';
export { removeNetwork, type Removal } from './cleanup.ts';
export { createPodProbes, type PodProbes } from './pod-probes.ts';
export { networkPoliciesComponent, networkPoliciesSocket, type NetworkPoliciesOptions } from './network-policies.ts';
export { portsInUse } from './ports-in-use.ts';
export { serviceRoute } from './service-route.ts';
export { PodProbesOffError, SubnetFileError } from './errors.ts';
