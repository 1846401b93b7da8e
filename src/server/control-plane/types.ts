import type { Component, ComponentName } from '../../shared/component/component.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Paths } from '../../shared/paths.ts';
import type { Supervisor } from '../../host/process/process.ts';
import type { HelmProgram, ProgramFlags } from '../cluster/cluster.ts';
import type { Pki } from '../pki/pki.ts';
import type { Account, ProgramName } from './account.ts';
import type { Authorization } from './authorization.ts';
import type { RevokedIdentity } from '../identity/identity.ts';
import type { keepLeaves } from './certificates.ts';
import type { KubeClient } from '../../kube/kube.ts';

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
  readonly etcd: EtcdOfApiserver;
  /** By the number of servers. */
  readonly programFlags: ProgramFlags;
  /** Of the tunnel, through which kube-apiserver reaches nodes and pods; directly without one. */
  readonly egressSocket?: string;
  readonly extraArgs: ExtraArgs;
  readonly metricsServer?: boolean;
  /** Components that are ready before what may wait. */
  readonly lastAfter?: readonly ComponentName[];
  /** `--profile cis` */
  readonly isHardened?: boolean;
  readonly accounts: Accounts;
  /** Where this host's own programs reach kube-apiserver. */
  readonly localUrl: string;
  /** What the programs reach without a proxy, as `NO_PROXY` has it. */
  readonly direct: readonly string[];
  readonly log?: Log;
  /** Of kagent's own API on this host, which is asked about revoked identities. */
  readonly supervisorUrl: string;
  /** Ports of the controller manager and scheduler on loopback; Kubernetes' own unless said. */
  readonly localPorts?: LocalPorts;
}

/** Where kube-apiserver keeps the cluster's state. */
export interface EtcdOfApiserver {
  /** `unix:///PATH`, or `https://HOST:PORT` of each of several. */
  readonly servers: readonly string[];
  readonly files: DatastoreFiles;
}

/** Root's, in PEM: the CA that signs the datastore's certificate, and what it is shown. Those that the operator has named. */
export type DatastoreFiles = Readonly<Partial<Record<'ca' | 'cert' | 'key', string>>>;

export type Accounts = Readonly<Record<Exclude<ProgramName, 'helm'>, Account>>;

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
  /** Runs helm for one thing about one release. */
  readonly helm: HelmProgram;
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

/** What each program's file is given. */
export interface ProgramOptions extends ControlPlaneOptions {
  readonly leaves: Awaited<ReturnType<typeof keepLeaves>>;
  readonly kubeconfigs: Readonly<Record<'kube-controller-manager' | 'kube-scheduler' | 'metrics-server', string>>;
  readonly kube: KubeClient;
  readonly ports: LocalPorts;
  readonly authorization: Authorization;
}
