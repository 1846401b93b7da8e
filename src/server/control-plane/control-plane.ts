/**
 * @module
 * Kubernetes' control plane: kube-apiserver, kube-controller-manager and kube-scheduler as children.
 * Knows: their flags, certificates, kubeconfigs, when they are ready. Leaves to others: keeping them alive
 * (host/process), signing (pki/), what is applied to the cluster (manifests/).
 * Spec: Kubernetes v1.37 command line references.
 */
import type { Component, ComponentName } from '../../shared/component/component.ts';
import { adminKubeconfig, runPaths, type Paths } from '../../shared/paths.ts';
import type { Supervisor } from '../../host/process/process.ts';
import type { Pki } from '../pki/pki.ts';
import { openAccount, type Account, type ProgramName } from './account.ts';
import { openAuthorization, type Authorization } from './authorization.ts';
import type { RevokedIdentity } from '../identity/identity.ts';
import { apiserverComponent } from './apiserver.ts';
import { keepLeaves, kubeconfigPath, writeAdminKubeconfig, writeProgramKubeconfig } from './certificates.ts';
import { controllerManagerComponent } from './controller-manager.ts';
import { createKubeClient, readCredentials, type KubeClient } from '../../kube/kube.ts';
import { schedulerComponent } from './scheduler.ts';
import { apiserverNames } from './serving-names.ts';

export interface ControlPlaneOptions {
  readonly supervisor: Supervisor;
  readonly pki: Pki;
  readonly paths: Paths;
  /** The folder of the component bundle's programs. */
  readonly binDir: string;
  /** Components that are ready before kube-apiserver starts: the datastore. */
  readonly after: readonly ComponentName[];
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  readonly serviceNodePortRange: string;
  readonly clusterDomain: string;
  readonly nodeCidrMaskSize: number;
  readonly bindAddress: string;
  readonly securePort: number;
  readonly advertiseAddress: string;
  /** Further names and addresses of this host, as they are now, and what the operator added by `--tls-san`. */
  readonly tlsSans: () => readonly string[];
  readonly adminKubeconfig?: { readonly path: string; readonly mode: number; readonly group?: string | undefined };
  /** As kube-apiserver takes it; our datastore's socket unless said. */
  readonly etcdServers?: string;
  /** Of the tunnel, through which kube-apiserver reaches nodes and pods; directly without one. */
  readonly egressSocket?: string;
  readonly extraArgs: ExtraArgs;
  /** `--profile cis` */
  readonly isHardened?: boolean;
  readonly accounts: Accounts;
  /** Where this host's own programs reach kube-apiserver. */
  readonly localUrl: string;
  /** What the programs reach without a proxy, as `NO_PROXY` has it. */
  readonly direct: readonly string[];
  /** Of kagent's own API on this host, which is asked about revoked identities. */
  readonly supervisorUrl: string;
  /** Ports of the controller manager and scheduler on loopback; Kubernetes' own unless said. */
  readonly localPorts?: LocalPorts;
}

export type Accounts = Readonly<Record<ProgramName, Account>>;

/** Which user each program is: known before the datastore and the tunnel listen, since their sockets are for one of them. */
export function openAccounts(
  options: Pick<ControlPlaneOptions, 'extraArgs' | 'securePort'> & {
    readonly runDir?: string;
    /** Where kube-apiserver writes its audit log. */
    readonly auditDir?: string | undefined;
  },
): Accounts {
  const { extraArgs, securePort, runDir } = options;
  const shared = runDir === undefined ? {} : { runDir };
  const unprivileged = 1024;
  return {
    'kube-apiserver': openAccount({
      ...shared,
      program: 'kube-apiserver',
      extraArgs: extraArgs.apiserver.filter((arg) => !/^-*oidc[-_]ca/.test(arg)), // read by kagent
      ownDir: options.auditDir,
      port: securePort,
    }),
    'kube-controller-manager': openAccount({
      ...shared,
      program: 'kube-controller-manager',
      extraArgs: extraArgs.controllerManager,
      port: unprivileged,
    }),
    'kube-scheduler': openAccount({
      ...shared,
      program: 'kube-scheduler',
      extraArgs: extraArgs.scheduler,
      port: unprivileged,
    }),
  };
}

/** What the operator adds, `flag=value`. */
export interface ExtraArgs {
  readonly apiserver: readonly string[];
  readonly controllerManager: readonly string[];
  readonly scheduler: readonly string[];
}

export interface LocalPorts {
  readonly controllerManager: number;
  readonly scheduler: number;
}

export interface ControlPlane {
  readonly components: readonly Component[];
  /** Speaks to kube-apiserver as kagent itself. */
  readonly kube: KubeClient;
  /**
   * Renews what is due; for a daily timer. The programs read their files anew by themselves.
   * @returns the names of the certificates that were renewed
   */
  keepCertificates(): Promise<readonly string[]>;
  /** Whoever shows a certificate of these is refused from now on; nobody else is. */
  revoke(revoked: readonly RevokedIdentity[]): void;
}

/** Makes certificates and kubeconfigs, so that everything is on disk before the first child starts. */
export async function createControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { pki, paths, accounts, localUrl } = options;
  const admin = options.adminKubeconfig ?? { path: adminKubeconfig, mode: 0o600 };
  const keep = async () => {
    const leaves = await keepLeaves(pki, apiserverNames({ ...options, tlsSans: options.tlsSans() }));
    for (const [name, leaf] of [
      ['kube-controller-manager', leaves.controllerManager],
      ['kube-scheduler', leaves.scheduler],
    ] as const) {
      const { give } = accounts[name];
      writeProgramKubeconfig({
        path: kubeconfigPath(paths.server.cred, name),
        server: localUrl,
        user: `system:${name}`,
        caFile: give(pki.serverCa.certFile),
        leaf: { ...leaf, certFile: give(leaf.certFile), keyFile: give(leaf.keyFile) },
      });
    }
    for (const account of Object.values(accounts)) account.refresh();
    writeAdminKubeconfig({ ...admin, server: localUrl, caPem: pki.serverCa.trust.pem, leaf: leaves.admin });
    return leaves;
  };
  const leaves = await keep();
  const kubeconfigOf = (name: 'kube-controller-manager' | 'kube-scheduler') =>
    accounts[name].give(kubeconfigPath(paths.server.cred, name));
  const kubeconfigs = {
    'kube-controller-manager': kubeconfigOf('kube-controller-manager'),
    'kube-scheduler': kubeconfigOf('kube-scheduler'),
  };
  const kube = createKubeClient({
    url: localUrl,
    credentials: () =>
      readCredentials({
        caPath: pki.serverCa.certFile,
        certPath: leaves.kagent.certFile,
        keyPath: leaves.kagent.keyFile,
      }),
  });
  const etcdServers = options.etcdServers ?? `unix://${runPaths.datastoreSocket}`;
  const ports = options.localPorts ?? { controllerManager: 10257, scheduler: 10259 };
  const authorization = openAuthorization({
    dir: paths.server.etc,
    supervisorUrl: options.supervisorUrl,
    trust: pki.serverCa.trust,
    account: accounts['kube-apiserver'],
  });
  const shared = { ...options, etcdServers, leaves, kubeconfigs, kube, ports, authorization };
  return {
    components: [apiserverComponent(shared), controllerManagerComponent(shared), schedulerComponent(shared)],
    kube,
    revoke: (revoked) => authorization.revoke(revoked),
    async keepCertificates() {
      const renewed = Object.entries(await keep()).filter(([, leaf]) => leaf.changed);
      if (renewed.length > 0) kube.reconnect();
      return renewed.map(([name]) => name);
    },
  };
}

/** What each program's file is given. */
export interface ProgramOptions extends ControlPlaneOptions {
  readonly etcdServers: string;
  readonly leaves: Awaited<ReturnType<typeof keepLeaves>>;
  readonly kubeconfigs: Readonly<Record<'kube-controller-manager' | 'kube-scheduler', string>>;
  readonly kube: KubeClient;
  readonly ports: LocalPorts;
  readonly authorization: Authorization;
}

export { kubeletClientUser } from './certificates.ts';
export { labelOwnNode } from './own-node.ts';
export { auditDir } from './hardening.ts';
export { revokedPath } from './authorization.ts';
export { apiserverNames } from './serving-names.ts';
export { argumentRules } from './argument-rules.ts';
