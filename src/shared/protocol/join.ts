/**
 * @module
 * What a node sends to join, and what it gets. JSON over verified TLS at `POST /v1/join`, with
 * `Authorization: Bearer <secret of the token>`; a node that has joined shows its certificate instead.
 * Messages are open objects: a newer peer may say more.
 */
import * as z from 'zod';
import { pem, urls, word } from './text.ts';

/** A cluster's, unless it was made with others. */
export const usualRanges = { clusterCidr: '10.42.0.0/16', serviceCidr: '10.43.0.0/16' } as const;

/** Certificate signing requests, PEM. The private keys stay on the node. */
const NodeCsrs = z.object({
  kubelet: pem(),
  kubeletServing: pem(),
  kubeProxy: pem(),
  flannel: pem(),
});

export const JoinRequest = z.object({
  nodeName: z.string().min(1).max(253),
  /** Made by the node on its first join; keeps another machine from taking the name. */
  nodePassword: z.string().min(32).max(256),
  /** The node's IP addresses: what its serving certificate is for. */
  addresses: z.array(word()).min(1).max(64),
  /** The node's kagent version. */
  version: word(),
  /** What its kubelet is: `v1.37.1`. */
  kubernetesVersion: word().optional(),
  role: z.enum(['agent', 'server']).optional(),
  /** The machine that had the name is gone. */
  replace: z.boolean().optional(),
  csrs: NodeCsrs,
});
export type JoinRequest = Readonly<z.infer<typeof JoinRequest>>;

/** What all nodes of a cluster have in common. */
export const ClusterSettings = z.object({
  clusterCidr: word(),
  serviceCidr: word(),
  clusterDns: word(),
  clusterDomain: word(),
  flannelBackend: z.enum(['vxlan', 'host-gw', 'wireguard-native', 'none']),
  /** Something else sees to Services. */
  disableKubeProxy: z.boolean().optional(),
  /** The cluster’s DNS, if it has one, is somebody else’s. */
  disableCoredns: z.boolean().optional(),
});
export type ClusterSettings = Readonly<z.infer<typeof ClusterSettings>>;

export const JoinResponse = z.object({
  /** Certificates for the CSRs, PEM. */
  certificates: NodeCsrs,
  /** What the node trusts kube-apiserver and the supervisor by. */
  serverCaPem: pem(256 * 1024),
  /** What the kubelet trusts its clients by. */
  clientCaPem: pem(256 * 1024),
  /** `https://host:port`, one for each kube-apiserver. */
  apiserverUrls: urls.min(1),
  /** `https://host:port`, one for each server's supervisor. */
  supervisorUrls: urls.default([]),
  settings: ClusterSettings,
  /** The server's kagent version. */
  version: word(),
});
export type JoinResponse = Readonly<z.infer<typeof JoinResponse>>;
