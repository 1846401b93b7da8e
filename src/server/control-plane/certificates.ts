import { dirname, join } from 'node:path';
import { readFileSync } from 'node:fs';
import { InvalidSettingError } from '../../shared/config/config.ts';
import { kubeconfigText } from '../../kube/kube.ts';
import { letThrough, makeFolder, readText, writeFileIfChanged } from '../../shared/files/files.ts';
import { configDir } from '../../shared/paths.ts';
import { metricsServer } from '../cluster/cluster.ts';
import type { CertificateAuthority, Leaf, LeafSpec, Pki } from '../pki/pki.ts';

/** The names by which pods and people reach kube-apiserver, besides this host's own. */
export interface ServingNames {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

/** Every certificate of the control plane. */
export interface ControlPlaneLeaves {
  readonly apiserver: Leaf;
  readonly kubeletClient: Leaf;
  readonly aggregatorClient: Leaf;
  readonly controllerManager: Leaf;
  readonly controllerManagerServing: Leaf;
  readonly scheduler: Leaf;
  readonly schedulerServing: Leaf;
  readonly metricsServer: Leaf;
  readonly metricsServerServing: Leaf;
  readonly admin: Leaf;
  readonly kagent: Leaf;
}

/** Makes and renews them. Each program reads its files anew by itself, so nothing has to be restarted. */
export async function keepLeaves(pki: Pki, names: ServingNames): Promise<ControlPlaneLeaves> {
  const client = (name: string, commonName: string, organizations: readonly string[] = []) =>
    keep(pki.clientCa, { name, commonName, organizations, usages: ['client'] });
  const local = (name: string, dnsNames: readonly string[] = []) =>
    keep(pki.serverCa, {
      name: `${name}-serving`,
      commonName: name,
      dnsNames: ['localhost', ...dnsNames],
      ipAddresses: ['127.0.0.1', '::1'],
      usages: ['server'],
    });
  const keep = (ca: CertificateAuthority, leaf: LeafSpec) => pki.keepLeaf(ca, leaf);
  const leaves = {
    apiserver: keep(pki.serverCa, {
      name: 'kube-apiserver',
      commonName: 'kube-apiserver',
      dnsNames: names.dnsNames,
      ipAddresses: names.ipAddresses,
      usages: ['server'],
    }),
    kubeletClient: client('kube-apiserver-kubelet-client', kubeletClientUser),
    aggregatorClient: keep(pki.requestHeaderCa, {
      name: 'aggregator-client',
      commonName: aggregatorUser,
      usages: ['client'],
    }),
    controllerManager: client('kube-controller-manager', 'system:kube-controller-manager'),
    controllerManagerServing: local('kube-controller-manager'),
    scheduler: client('kube-scheduler', 'system:kube-scheduler'),
    schedulerServing: local('kube-scheduler'),
    metricsServer: client('metrics-server', metricsServer.user),
    metricsServerServing: local('metrics-server', ['metrics-server.kube-system.svc']),
    admin: client('admin', 'system:admin', ['system:masters']),
    kagent: client('kagent', 'system:kagent', ['system:masters']),
  };
  await Promise.all(Object.values(leaves));
  return {
    apiserver: await leaves.apiserver,
    kubeletClient: await leaves.kubeletClient,
    aggregatorClient: await leaves.aggregatorClient,
    controllerManager: await leaves.controllerManager,
    controllerManagerServing: await leaves.controllerManagerServing,
    scheduler: await leaves.scheduler,
    schedulerServing: await leaves.schedulerServing,
    metricsServer: await leaves.metricsServer,
    metricsServerServing: await leaves.metricsServerServing,
    admin: await leaves.admin,
    kagent: await leaves.kagent,
  };
}

/** kube-apiserver towards kubelets; a ClusterRoleBinding lets it use their API. */
export const kubeletClientUser = 'system:kube-apiserver-kubelet-client';
/** kube-apiserver towards aggregated APIs. */
export const aggregatorUser = 'system:kube-apiserver-aggregator';

/** A kubeconfig of one of our own programs: it names files, which the program reads anew after a renewal. */
export function writeProgramKubeconfig(options: {
  readonly path: string;
  readonly server: string;
  readonly user: string;
  readonly caFile: string;
  readonly leaf: Leaf;
}): void {
  const { path, server, user, caFile, leaf } = options;
  const text = kubeconfigText({
    server,
    user,
    ca: { file: caFile },
    certificate: { file: leaf.certFile },
    key: { file: leaf.keyFile },
  });
  writeFileIfChanged(path, text, 0o600);
}

/** A kubeconfig for people: it stands alone, so that it can be copied to another machine. */
export function writeAdminKubeconfig(options: {
  readonly path: string;
  readonly mode: number;
  /** A name or a number; root's unless said. */
  readonly group?: string | undefined;
  readonly server: string;
  readonly caPem: string;
  readonly leaf: Leaf;
}): void {
  const { path, mode, group, server, caPem, leaf } = options;
  const text = kubeconfigText({
    server,
    user: 'default',
    ca: { text: caPem },
    certificate: { text: readText(leaf.certFile) },
    key: { text: readText(leaf.keyFile) },
  });
  makeFolder(dirname(path), 0o755); // the file's own mode says who may read it
  if (dirname(path) === configDir && (mode & 0o077) !== 0) letThrough(configDir);
  writeFileIfChanged(path, text, mode, group === undefined ? 0 : groupId(group));
}

/** @throws {InvalidSettingError} */
function groupId(group: string): number {
  if (/^\d+$/.test(group)) return Number(group);
  const lines = readFileSync('/etc/group', 'utf8').split('\n');
  const [, , id] = lines.map((line) => line.split(':')).find(([name]) => name === group) ?? [];
  if (id === undefined)
    throw new InvalidSettingError('write-kubeconfig-group', undefined, `this box has no group '${group}'`);
  return Number(id);
}

/** Where the kubeconfig of a program lies: `<cred>/<name>.kubeconfig`. */
export function kubeconfigPath(credDir: string, name: string): string {
  return join(credDir, `${name}.kubeconfig`);
}
