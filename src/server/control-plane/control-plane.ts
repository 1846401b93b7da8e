/**
 * @module
 * Kubernetes' control plane: kube-apiserver, kube-controller-manager and kube-scheduler as children.
 * Knows: their flags, certificates, kubeconfigs, when they are ready. Leaves to others: keeping them alive
 * (host/process), signing (pki/), what is applied to the cluster (manifests/).
 * Spec: Kubernetes v1.37 command line references.
 */
import { adminKubeconfig } from '../../shared/paths.ts';
import { openAuthorization } from './authorization.ts';
import { apiserverComponent } from './apiserver.ts';
import { keepLeaves, kubeconfigPath, writeAdminKubeconfig, writeProgramKubeconfig } from './certificates.ts';
import { controllerManagerComponent } from './controller-manager.ts';
import { createKubeClient, readCredentials } from '../../kube/kube.ts';
import { createHelm } from './helm.ts';
import { metricsServerComponent } from './metrics-server.ts';
import { schedulerComponent } from './scheduler.ts';
import { apiserverNames } from './serving-names.ts';
import type { ControlPlaneOptions, ControlPlane, ProgramOptions } from './types.ts';

/** Makes certificates and kubeconfigs, so that everything is on disk before the first child starts. */
export async function createControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { pki, paths, accounts, localUrl } = options;
  const admin = options.adminKubeconfig ?? { path: adminKubeconfig, mode: 0o600 };
  const keep = async () => {
    const leaves = await keepLeaves(pki, apiserverNames({ ...options, tlsSans: options.tlsSans() }));
    for (const [name, leaf] of [
      ['kube-controller-manager', leaves.controllerManager],
      ['kube-scheduler', leaves.scheduler],
      ['metrics-server', leaves.metricsServer],
    ] as const) {
      const { give } = accounts[accountNames[name]];
      writeProgramKubeconfig({
        path: kubeconfigPath(paths.server.cred, name),
        server: localUrl,
        user: `system:${name}`,
        caFile: give(pki.serverCa.certFile),
        leaf: { ...leaf, certFile: give(leaf.certFile), keyFile: give(leaf.keyFile) },
      });
    }
    for (const account of new Set(Object.values(accounts))) account.refresh();
    writeAdminKubeconfig({ ...admin, server: localUrl, caPem: pki.serverCa.trust.pem, leaf: leaves.admin });
    return leaves;
  };
  const leaves = await keep();
  const kube = createKubeClient({
    url: localUrl,
    credentials: () =>
      readCredentials({
        caPath: pki.serverCa.certFile,
        certPath: leaves.kagent.certFile,
        keyPath: leaves.kagent.keyFile,
      }),
  });
  const ports = options.localPorts ?? { controllerManager: 10257, scheduler: 10259 };
  const authorization = openAuthorization({
    dir: paths.server.etc,
    supervisorUrl: options.supervisorUrl,
    trust: pki.serverCa.trust,
    account: accounts['kube-apiserver'],
  });
  const shared = { ...options, leaves, kubeconfigs: kubeconfigsOf(options), kube, ports, authorization };
  return {
    components: [
      apiserverComponent(shared),
      controllerManagerComponent(shared),
      schedulerComponent(shared),
      ...(options.metricsServer === true ? [metricsServerComponent(shared)] : []),
    ],
    kube,
    helm: createHelm(options),
    revoke: (revoked) => authorization.revoke(revoked),
    async keepCertificates() {
      const renewed = Object.entries(await keep()).filter(([, leaf]) => leaf.changed);
      if (renewed.length > 0) kube.reconnect();
      return renewed.map(([name]) => name);
    },
  };
}

/** Where each program finds its own. */
function kubeconfigsOf({ accounts, paths }: ControlPlaneOptions): ProgramOptions['kubeconfigs'] {
  const given = (name: keyof typeof accountNames) =>
    accounts[accountNames[name]].give(kubeconfigPath(paths.server.cred, name));
  return {
    'kube-controller-manager': given('kube-controller-manager'),
    'kube-scheduler': given('kube-scheduler'),
    'metrics-server': given('metrics-server'),
  };
}

/** Whose user each program is that has a kubeconfig. */
const accountNames = {
  'kube-controller-manager': 'kube-controller-manager',
  'kube-scheduler': 'kube-scheduler',
  'metrics-server': 'kube-apiserver',
} as const;

export { etcdComponent, forceNewCluster } from './etcd.ts';
export type { EtcdFiles, EtcdOptions, EtcdPair, InitialCluster } from './etcd.ts';
export { kineComponent, kineSocket } from './kine.ts';
export type { DatastoreFiles, EtcdOfApiserver } from './types.ts';
export type { ControlPlaneOptions, Accounts, ExtraArgs, LocalPorts, ControlPlane, ProgramOptions } from './types.ts';
export { kubeletClientUser } from './certificates.ts';
export { openAccounts } from './accounts.ts';
export { labelOwnNode } from './own-node.ts';
export { auditDir } from './hardening.ts';
export { revokedPath } from './authorization.ts';
export { apiserverNames } from './serving-names.ts';
export { argumentRules } from './argument-rules.ts';
