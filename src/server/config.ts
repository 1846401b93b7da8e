/** The settings of `kagent server`. Names and meaning as in k3s. */
import { Cron } from 'croner';
import * as z from 'zod';
import { kinds } from '../shared/config/config.ts';
import { addons } from './addons/addons.ts';
import { k3sServerSettings } from './k3s-settings.ts';
import { adminKubeconfig } from '../shared/paths.ts';
import { usualRanges } from '../shared/protocol/join.ts';

function isCron(text: string): boolean {
  try {
    new Cron(text, { paused: true }).stop();
    return true;
  } catch {
    return false;
  }
}

const ownAddons = addons.map(({ name }) => name);
/** What k3s can leave out, so that its configurations work: of these kagent brings its own add-ons alone. */
const k3sAddons = ['coredns', 'servicelb', 'traefik', 'local-storage', 'metrics-server', 'runtimes'];
const packaged = [...new Set([...ownAddons, ...k3sAddons])];

export const serverSettings = {
  token: kinds.secret
    .optional()
    .describe('Secret with which servers and agents join (made on the first start)')
    .meta({ short: 't' }),
  tokenFile: kinds.absolutePath.optional().describe('File that holds the token'),
  agentToken: kinds.secret.optional().describe('Secret with which only agents may join'),
  agentTokenFile: kinds.absolutePath.optional().describe('File that holds it'),
  bindAddress: kinds.ipv4.default('0.0.0.0').describe('Address that kube-apiserver and the supervisor listen on'),
  httpsListenPort: kinds.port.default(6443).describe('Port of kube-apiserver'),
  supervisorPort: kinds.port.default(9345).describe('Port at which nodes join'),
  advertiseAddress: kinds.ipv4.optional().describe("kube-apiserver's address in the cluster (the node's)"),
  tlsSan: kinds.hosts.describe(
    "Further names and addresses in the server's certificates, besides the host's name and every address of its network cards",
  ),
  clusterCidr: kinds.cidr4.default(usualRanges.clusterCidr).describe('Pod addresses'),
  serviceCidr: kinds.cidr4.default(usualRanges.serviceCidr).describe('Service addresses'),
  serviceNodePortRange: z
    .string()
    .regex(/^\d+-\d+$/, "it must be 'first-last'")
    .default('30000-32767')
    .describe('Ports of NodePort Services'),
  clusterDns: kinds.ipv4.optional().describe('Address of the DNS Service (the tenth of --service-cidr)'),
  clusterDomain: z.string().default('cluster.local').describe("The cluster's DNS domain"),
  flannelBackend: z
    .enum(['vxlan', 'host-gw', 'wireguard-native', 'none'])
    .default('vxlan')
    .describe('How pods of different nodes reach each other'),
  writeKubeconfig: kinds.absolutePath
    .default(adminKubeconfig)
    .describe("Where the administrator's kubeconfig is written")
    .meta({ short: 'o' }),
  writeKubeconfigMode: z
    .string()
    .regex(/^(0o?)?[0-7]{3}$/, "it must be an octal mode such as '0640'")
    .default('0600')
    .describe('Mode of that file'),
  writeKubeconfigGroup: z.string().optional().describe('Group of that file, a name or a number (root)'),
  disable: z
    .array(z.enum(packaged, `each must be one of ${packaged.join(', ')}`))
    .default([])
    .describe(
      `Packaged components that are left out: ${ownAddons.join(', ')}; k3s's other names are accepted and change nothing`,
    ),
  defaultLocalStoragePath: kinds.absolutePath
    .optional()
    .describe(
      'Where volumes of the StorageClass local-path are on nodes that the ConfigMap local-path-config does not list (storage in the data dir)',
    ),
  disableHelmController: z
    .boolean()
    .default(false)
    .describe('Carry out no HelmChart objects, as --disable helm-controller; what they have installed keeps running'),
  disableKubeProxy: z
    .boolean()
    .default(false)
    .describe('Run kube-proxy on no node: a network of your own implements Services'),
  disableNetworkPolicy: z
    .boolean()
    .default(false)
    .describe('Enforce NetworkPolicies on no node, as where a network of your own enforces them'),
  disableAgent: z.boolean().default(false).describe('Run no node on the server'),
  clusterInit: z
    .boolean()
    .default(false)
    .describe('Make a cluster that may have several servers: it is kept in an etcd, whose first member is here'),
  clusterReset: z
    .boolean()
    .default(false)
    .describe('Make a cluster of this server alone of what its etcd has, where the other servers are lost; then end'),
  clusterResetRestorePath: kinds.absolutePath
    .optional()
    .describe('With --cluster-reset: the snapshot of an etcd of which it is made'),
  server: z
    .url({ protocol: /^https$/, error: "it must be another server's address such as 'https://10.0.0.1:9345'" })
    .optional()
    .describe('Another server of the cluster that this one joins as a server, with the server token')
    .meta({ short: 's' }),
  datastoreEndpoint: kinds.secret
    .optional()
    .describe(
      'Datastore that somebody else keeps, instead of one of its own: https://HOST:2379 of an etcd, postgres://… or mysql://…',
    ),
  datastoreCafile: kinds.absolutePath.optional().describe('File with the CA that signs its certificate'),
  datastoreCertfile: kinds.absolutePath.optional().describe('File with the certificate that it is shown'),
  datastoreKeyfile: kinds.absolutePath.optional().describe('File with the key of that'),
  etcdDisableSnapshots: z.boolean().default(false).describe('Save no scheduled snapshots of the datastore'),
  etcdSnapshotName: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]*$/, 'it must be lower-case letters, digits, dots and dashes')
    .default('etcd-snapshot')
    .describe("What the names of the datastore's scheduled snapshots begin with"),
  etcdSnapshotScheduleCron: z
    .string()
    .refine(isCron, "it must be a cron schedule such as '0 */12 * * *'")
    .default('0 */12 * * *')
    .describe('When the datastore is saved'),
  etcdSnapshotRetention: z
    .int('it must be a whole number from 1 on')
    .min(1, 'it must be a whole number from 1 on')
    .default(5)
    .describe('How many scheduled snapshots are kept'),
  etcdSnapshotDir: kinds.absolutePath.optional().describe('Where they are kept (server/db/snapshots in the data dir)'),
  etcdArg: z
    .array(
      z.string().regex(/^quota-backend-bytes=\d{1,15}$/, "kagent's datastore knows only 'quota-backend-bytes=BYTES'"),
    )
    .default([])
    .describe('Settings of the datastore: quota-backend-bytes (2 GiB)'),
  kubeApiserverArg: kinds.componentArgs.describe('Flags for kube-apiserver'),
  kubeControllerManagerArg: kinds.componentArgs.describe('Flags for kube-controller-manager'),
  kubeSchedulerArg: kinds.componentArgs.describe('Flags for kube-scheduler'),
  ...k3sServerSettings,
};

/** The server's part alone; `main.ts` adds the node's settings, which belong to the agent. */
export const ServerOnlyConfig = z.strictObject(serverSettings);
export type ServerOnlyConfig = Readonly<z.infer<typeof ServerOnlyConfig>>;

/** Names of packaged components that are left out. */
export function disabledOf(config: Pick<ServerOnlyConfig, 'disable' | 'disableHelmController'>): readonly string[] {
  return config.disableHelmController ? [...config.disable, 'helm-controller'] : config.disable;
}

/** Of `write-kubeconfig-mode`: `640`, `0640` and `0o640` are one. */
export function fileMode(octal: string): number {
  return Number.parseInt(octal.replace('o', ''), 8);
}

/** Of `etcd-arg`. 0: the default. The last one counts, as with flags. */
export function quotaOf(etcdArgs: readonly string[]): number {
  return Number(etcdArgs.at(-1)?.split('=')[1] ?? 0);
}
