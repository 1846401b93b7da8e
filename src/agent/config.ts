/** The settings of `kagent agent`, which `kagent server` has too for its own node. Names and meaning as in k3s. */
import * as z from 'zod';
import { kinds } from '../shared/config/config.ts';
import { k3sNodeSettings } from './k3s-settings.ts';
import { defaultDataDir, registriesFile } from '../shared/paths.ts';

export const nodeSettings = {
  dataDir: kinds.absolutePath
    .default(defaultDataDir)
    .describe('Folder for everything that outlives a reboot')
    .meta({ short: 'd' }),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Lowest level that is logged'),
  logFormat: z.enum(['text', 'json']).default('text').describe('Format of the log'),
  debug: z.boolean().default(false).describe('The same as --log-level debug'),
  bundle: kinds.pathOrAddress
    .optional()
    .describe('Component bundle of a slim executable: a file, or its https address'),
  nodeName: kinds.nodeName.optional().describe("This node's name (the one with which it has joined, else the host's)"),
  nodeIp: kinds.ipv4
    .optional()
    .describe(
      "Address by which other nodes reach this one (a server's: that of the default route; an agent's: the one from which it reaches the server)",
    )
    .meta({ short: 'i' }),
  nodeExternalIp: z
    .array(z.ipv4("it must be an IPv4 address such as '203.0.113.5'"))
    .default([])
    .describe('Addresses by which this node is reached from outside the cluster'),
  nodeInternalDns: kinds.dnsNames.describe('Names by which this node is reached inside the cluster'),
  nodeExternalDns: kinds.dnsNames.describe('Names by which this node is reached from outside the cluster'),
  withNodeId: z.boolean().default(false).describe("Append an id, which stays with this box, to the node's name"),
  nodeLabel: kinds.label.describe('Labels of this node, set when it registers'),
  nodeTaint: kinds.taint.describe('Taints of this node, set when it registers'),
  flannelIface: z.string().optional().describe("Interface of flannel's traffic (that of the node's address)"),
  resolvConf: kinds.absolutePath
    .optional()
    .describe(
      "resolv.conf from which pods' DNS is made (the host's, kept up to date, without servers on loopback or IPv6)",
    ),
  snapshotter: z.enum(['overlayfs', 'native']).default('overlayfs').describe("containerd's snapshotter"),
  defaultRuntime: z
    .string()
    .default('runc')
    .describe('Runtime of pods without a runtime class; a drop-in for containerd adds others than runc'),
  nonrootDevices: z.boolean().default(false).describe('Give devices to the user that a pod runs as'),
  pauseImage: z.string().optional().describe("Image of each pod's sandbox (the one in the bundle)"),
  privateRegistry: kinds.absolutePath
    .default(registriesFile)
    .describe('File with mirrors, passwords and certificates of registries; changes apply at once'),
  disableDefaultRegistryEndpoint: z.boolean().default(false).describe('Where a registry has mirrors, ask only them'),
  protectKernelDefaults: z
    .boolean()
    .default(false)
    .describe("Let the kubelet exit if the kernel's settings are not what it expects"),
  profile: z
    .enum(['cis'])
    .optional()
    .describe('Settings of a hardening guide: cis, the CIS Kubernetes Benchmark (docs/cis.md)'),
  imageCredentialProviderBinDir: kinds.absolutePath.optional().describe("Folder of the kubelet's credential providers"),
  imageCredentialProviderConfig: kinds.absolutePath.optional().describe('Configuration of these'),
  kubeletArg: kinds.componentArgs.describe('Flags for kubelet'),
  kubeProxyArg: kinds.componentArgs.describe('Flags for kube-proxy'),
  ...k3sNodeSettings,
};

export const AgentConfig = z.strictObject({
  ...nodeSettings,
  url: z
    .url({ protocol: /^https$/, error: "it must be the server's address such as 'https://10.0.0.1:9345'" })
    .optional()
    .describe('Address of a server'),
  server: z
    .url({ protocol: /^https$/, error: "it must be the server's address such as 'https://10.0.0.1:9345'" })
    .optional()
    .describe("The same as --url, k3s's name for it")
    .meta({ short: 's' }),
  token: kinds.secret.optional().describe('Token with which this node joins').meta({ short: 't' }),
  tokenFile: kinds.absolutePath.optional().describe('File that holds the token'),
  replace: z.boolean().default(false).describe('Take over the name of a machine that is gone'),
  lbServerPort: kinds.port
    .default(6444)
    .describe('Port on 127.0.0.1 at which the load balancer serves every kube-apiserver'),
  disableApiserverLb: z
    .boolean()
    .default(false)
    .describe("Let this node's programs connect to the first server directly"),
  disableOfflineBoot: z
    .boolean()
    .default(false)
    .describe('Do not keep on disk, Secrets included, what this node needs to start its pods while the server is away'),
  clusterCidr: kinds.cidr4.optional().describe("Must be the cluster's own, if given"),
  serviceCidr: kinds.cidr4.optional().describe("Must be the cluster's own, if given"),
  clusterDns: kinds.ipv4.optional().describe("Must be the cluster's own, if given"),
  clusterDomain: z.string().optional().describe("Must be the cluster's own, if given"),
  flannelBackend: z
    .enum(['vxlan', 'host-gw', 'wireguard-native', 'none'])
    .optional()
    .describe("Must be the cluster's own, if given"),
});
export type AgentConfig = Readonly<z.infer<typeof AgentConfig>>;
export type NodeConfig = Pick<AgentConfig, keyof typeof nodeSettings>;
