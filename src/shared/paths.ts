/**
 * @module
 * Every path kagent has on disk, in one place. As k3s has them, with the word changed.
 */
import { join } from 'node:path';

export const defaultDataDir = '/var/lib/kagent';
export const configDir = '/etc/kagent';
export const runDir = '/run/kagent';
export const undoLogName = 'journal.jsonl';

export type Paths = ReturnType<typeof pathsOf>;

/** @param dataDir absolute; holds everything that outlives a reboot */
export function pathsOf(dataDir: string) {
  const server = join(dataDir, 'server');
  const agent = join(dataDir, 'agent');
  return {
    dataDir,
    /** Locked while a kagent runs on this data dir. */
    lock: join(dataDir, 'lock.db'),
    /** Its pid. */
    holder: join(dataDir, 'kagent.lock'),
    /** Which kagent wrote this data dir last. */
    version: join(dataDir, 'version.json'),
    /** What was made outside this folder, for its undoing. */
    undoLog: join(dataDir, undoLogName),
    /** Unpacked components, of several versions. */
    data: join(dataDir, 'data'),
    /** Those in use: the path stays, what it leads to changes with the version. */
    components: join(dataDir, 'data', 'current'),
    /** Their programs. */
    bin: join(dataDir, 'data', 'current', 'bin'),
    logs: join(dataDir, 'logs'),
    /** Pids and start times of children, so that a later start finds the left-over ones. */
    children: join(dataDir, 'children.json'),
    server: serverPaths(server),
    agent: agentPaths(agent),
  } as const;
}

function serverPaths(server: string) {
  return {
    dir: server,
    tls: join(server, 'tls'),
    cred: join(server, 'cred'),
    db: join(server, 'db'),
    /** Of this server's member of an etcd, where the cluster has several servers. */
    etcd: join(server, 'db', 'etcd'),
    /** The name of the datastore that the cluster is in, where somebody else keeps it. */
    place: join(server, 'datastore'),
    token: join(server, 'token'),
    nodeToken: join(server, 'node-token'),
    agentToken: join(server, 'agent-token'),
    /** The address of a server that runs no node, whose identity would have it. */
    address: join(server, 'address'),
    manifests: join(server, 'manifests'),
    /** What everybody may read: `charts/*.tgz`. */
    static: join(server, 'static'),
    etc: join(server, 'etc'),
    /** Executables for boxes with another processor, put there by the operator. */
    release: join(server, 'release'),
  } as const;
}

function agentPaths(agent: string) {
  return {
    dir: agent,
    /** CA, certificates and kubeconfigs of this node. */
    pki: join(agent, 'pki'),
    /** The node's identity: its name and password. */
    identity: join(agent, 'identity.json'),
    /** Appended to the node's name by `--with-node-id`. */
    nodeId: join(agent, 'node-id'),
    etc: join(agent, 'etc'),
    /** What the node needs to start while the server is away; Secrets are in it. */
    offline: join(agent, 'offline'),
    images: join(agent, 'images'),
    containerd: join(agent, 'containerd'),
    /** What containerd knows of registries: `<registry>/hosts.toml`. */
    registryHosts: join(agent, 'etc', 'containerd', 'certs.d'),
    podManifests: join(agent, 'pod-manifests'),
    /** FlexVolume drivers; upstream's own place is below /usr, which may be read-only and is not ours. */
    volumePlugins: join(agent, 'volume-plugins'),
    /** Where CSI drivers and their guides expect it, wherever the data dir is. */
    kubelet: '/var/lib/kubelet',
  } as const;
}

/** What lives only as long as the box is up. */
export const runPaths = {
  dir: runDir,
  containerd: join(runDir, 'containerd'),
  containerdSocket: join(runDir, 'containerd', 'containerd.sock'),
  datastoreSocket: join(runDir, 'datastore.sock'),
  /** Of kine, which makes its socket itself. */
  kine: join(runDir, 'kine'),
  /** how kube-apiserver reaches nodes and pods; root only. */
  egressSocket: join(runDir, 'egress.sock'),
  /** `kagent status` asks here; root only. */
  statusSocket: join(runDir, 'kagent.sock'),
  pidFile: join(runDir, 'kagent.pid'),
  flannelSubnet: join(runDir, 'flannel', 'subnet.env'),
  /** Of what enforces network policies: its socket, and which pod has which address. */
  networkPolicies: join(runDir, 'network-policies'),
} as const;

/** Mirrors, passwords and certificates of registries. */
export const registriesFile = join(configDir, 'registries.yaml');

export const adminKubeconfig = join(configDir, 'kagent.yaml');
