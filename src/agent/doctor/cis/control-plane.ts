import { join } from 'node:path';
import { adminKubeconfig } from '../../../shared/paths.ts';
import { strongCipherSuites } from '../../../shared/tls-cipher-suites.ts';
import { flagFits, modeAtMost, ownedByRoot, stated, type CisBox, type CisItem } from './item.ts';

const apiserver = 'kube-apiserver';
const manager = 'kube-controller-manager';
const scheduler = 'kube-scheduler';

const noPod = (id: string, title: string): CisItem =>
  stated(
    id,
    title,
    'not applicable',
    'kagent runs it as a child of its own: there is no static Pod, and no file of one',
  );
const cniFiles = (box: CisBox) => box.filesBelow(join(box.paths.agent.etc, 'cni'), '.conflist', '.conf');
const datastore = ({ paths }: CisBox) => [paths.server.db];
const admin = () => [adminKubeconfig];
const credential =
  (name: string) =>
  ({ paths }: CisBox) => [join(paths.server.cred, `${name}.kubeconfig`)];
const pki =
  (...suffixes: readonly string[]) =>
  (box: CisBox) =>
    [box.paths.server.tls, box.paths.agent.pki].flatMap((dir) => box.filesBelow(dir, ...suffixes));
const isFile = (value: string | undefined) => value?.startsWith('/') === true;
const includes = (word: string) => (value: string | undefined) => value?.split(',').includes(word) === true;
const lacks = (word: string) => (value: string | undefined) => value?.split(',').includes(word) !== true;
const atLeast = (least: number) => (value: string | undefined) => Number(value ?? 0) >= least;
const notFalse = (value: string | undefined) => value !== 'false';
const isFalse = (value: string | undefined) => value === 'false';

/** 1.1 */
const files: readonly CisItem[] = [
  ...[
    ['1.1.1', 'kube-apiserver’s Pod file: mode'],
    ['1.1.2', 'kube-apiserver’s Pod file: owner'],
    ['1.1.3', 'kube-controller-manager’s Pod file: mode'],
    ['1.1.4', 'kube-controller-manager’s Pod file: owner'],
    ['1.1.5', 'kube-scheduler’s Pod file: mode'],
    ['1.1.6', 'kube-scheduler’s Pod file: owner'],
    ['1.1.7', 'etcd’s Pod file: mode'],
    ['1.1.8', 'etcd’s Pod file: owner'],
  ].map(([id = '', title = '']) => noPod(id, title)),
  modeAtMost(0o600, { id: '1.1.9', title: 'CNI files: mode 600', why: 'kagent writes them so' }, cniFiles),
  ownedByRoot({ id: '1.1.10', title: 'CNI files: root’s', why: 'kagent is root' }, cniFiles),
  modeAtMost(
    0o700,
    { id: '1.1.11', title: 'etcd’s folder: mode 700', why: 'the datastore’s folder is root’s alone' },
    datastore,
  ),
  stated(
    '1.1.12',
    'etcd’s folder: etcd’s',
    'not applicable',
    'the datastore is a part of kagent, without a user of its own',
  ),
  modeAtMost(
    0o600,
    {
      id: '1.1.13',
      title: 'administrator’s kubeconfig: mode 600',
      why: 'unless --write-kubeconfig-mode says otherwise',
    },
    admin,
  ),
  ownedByRoot({ id: '1.1.14', title: 'administrator’s kubeconfig: root’s', why: 'kagent is root' }, admin),
  modeAtMost(
    0o600,
    { id: '1.1.15', title: 'kube-scheduler’s kubeconfig: mode 600', why: 'kagent writes it so' },
    credential(scheduler),
  ),
  ownedByRoot(
    { id: '1.1.16', title: 'kube-scheduler’s kubeconfig: root’s', why: 'kagent is root' },
    credential(scheduler),
  ),
  modeAtMost(
    0o600,
    { id: '1.1.17', title: 'kube-controller-manager’s kubeconfig: mode 600', why: 'kagent writes it so' },
    credential(manager),
  ),
  ownedByRoot(
    { id: '1.1.18', title: 'kube-controller-manager’s kubeconfig: root’s', why: 'kagent is root' },
    credential(manager),
  ),
  ownedByRoot({ id: '1.1.19', title: 'PKI: root’s', why: 'kagent is root' }, pki('.crt', '.key')),
  modeAtMost(
    0o600,
    {
      id: '1.1.20',
      title: 'PKI certificates: mode 600',
      why: 'kagent writes them so, and those of an earlier one at its start',
    },
    pki('.crt'),
  ),
  modeAtMost(0o600, { id: '1.1.21', title: 'PKI keys: mode 600', why: 'kagent writes them so' }, pki('.key')),
];

/** 1.2 */
const ofApiserver: readonly CisItem[] = [
  flagFits(
    apiserver,
    'authentication-config',
    {
      id: '1.2.1',
      title: 'no anonymous requests',
      why: 'without credentials one may ask for health and version alone, by AuthenticationConfiguration',
    },
    isFile,
  ),
  flagFits(
    apiserver,
    'token-auth-file',
    { id: '1.2.2', title: 'no token file', why: 'it is not given' },
    (value) => value === undefined,
  ),
  flagFits(
    apiserver,
    'enable-admission-plugins',
    {
      id: '1.2.3',
      title: 'DenyServiceExternalIPs',
      by: 'profile',
      why: 'it refuses Services with externalIPs, which some clusters have',
    },
    includes('DenyServiceExternalIPs'),
  ),
  flagFits(
    apiserver,
    'kubelet-client-certificate',
    { id: '1.2.4', title: 'a certificate towards kubelets', why: 'kagent gives one' },
    isFile,
  ),
  flagFits(
    apiserver,
    'kubelet-certificate-authority',
    { id: '1.2.5', title: 'a CA for kubelets', why: 'it is one of its own' },
    isFile,
  ),
  flagFits(
    apiserver,
    'authorization-mode',
    { id: '1.2.6', title: 'not AlwaysAllow', why: 'Node and RBAC' },
    lacks('AlwaysAllow'),
  ),
  flagFits(
    apiserver,
    'authorization-mode',
    { id: '1.2.7', title: 'Node authorization', why: 'Node and RBAC' },
    includes('Node'),
  ),
  flagFits(
    apiserver,
    'authorization-mode',
    { id: '1.2.8', title: 'RBAC authorization', why: 'Node and RBAC' },
    includes('RBAC'),
  ),
  flagFits(
    apiserver,
    'enable-admission-plugins',
    {
      id: '1.2.9',
      title: 'EventRateLimit',
      by: 'not there',
      why: 'it is an alpha feature, and what is right depends on the cluster',
      next: 'kube-apiserver-arg: enable-admission-plugins=…,EventRateLimit with a configuration of its own',
    },
    includes('EventRateLimit'),
  ),
  flagFits(
    apiserver,
    'enable-admission-plugins',
    { id: '1.2.10', title: 'not AlwaysAdmit', why: 'it is not enabled' },
    lacks('AlwaysAdmit'),
  ),
  flagFits(
    apiserver,
    'enable-admission-plugins',
    {
      id: '1.2.11',
      title: 'AlwaysPullImages',
      by: 'not there',
      why: 'no Pod would start without its registry, not even those of images that kagent brings; who may use an image that is here already, the kubelet checks by its pull secret',
      next: 'where every image has a registry that is always reached: kube-apiserver-arg: enable-admission-plugins=NodeRestriction,AlwaysPullImages',
    },
    includes('AlwaysPullImages'),
  ),
  flagFits(
    apiserver,
    'disable-admission-plugins',
    { id: '1.2.12', title: 'ServiceAccount admission', why: 'Kubernetes’ own default' },
    lacks('ServiceAccount'),
  ),
  flagFits(
    apiserver,
    'disable-admission-plugins',
    { id: '1.2.13', title: 'NamespaceLifecycle admission', why: 'Kubernetes’ own default' },
    lacks('NamespaceLifecycle'),
  ),
  flagFits(
    apiserver,
    'enable-admission-plugins',
    { id: '1.2.14', title: 'NodeRestriction admission', why: 'kagent enables it' },
    includes('NodeRestriction'),
  ),
  flagFits(apiserver, 'profiling', { id: '1.2.15', title: 'no profiling', why: 'kagent turns it off' }, isFalse),
  flagFits(
    apiserver,
    'audit-log-path',
    { id: '1.2.16', title: 'an audit log', by: 'profile', why: 'audit/audit.log in the data dir' },
    isFile,
  ),
  flagFits(
    apiserver,
    'audit-log-maxage',
    { id: '1.2.17', title: 'audit log: 30 days', by: 'profile', why: '30' },
    atLeast(30),
  ),
  flagFits(
    apiserver,
    'audit-log-maxbackup',
    { id: '1.2.18', title: 'audit log: 10 files', by: 'profile', why: '10' },
    atLeast(10),
  ),
  flagFits(
    apiserver,
    'audit-log-maxsize',
    { id: '1.2.19', title: 'audit log: 100 MB a file', by: 'profile', why: '100' },
    atLeast(100),
  ),
  stated('1.2.20', 'request timeout', 'default', 'Kubernetes’ own, a minute'),
  flagFits(
    apiserver,
    'service-account-lookup',
    { id: '1.2.21', title: 'service accounts are looked up', why: 'Kubernetes’ own default' },
    notFalse,
  ),
  flagFits(
    apiserver,
    'service-account-key-file',
    { id: '1.2.22', title: 'a key for service accounts', why: 'one of its own' },
    isFile,
  ),
  stated(
    '1.2.23',
    'a certificate towards etcd',
    'not applicable',
    'the datastore listens on a socket that root alone opens',
  ),
  flagFits(
    apiserver,
    'tls-cert-file',
    { id: '1.2.24', title: 'a serving certificate', why: 'kagent gives one' },
    isFile,
  ),
  flagFits(apiserver, 'client-ca-file', { id: '1.2.25', title: 'a client CA', why: 'one of its own' }, isFile),
  stated('1.2.26', 'etcd’s CA', 'not applicable', 'the datastore listens on a socket that root alone opens'),
  flagFits(
    apiserver,
    'encryption-provider-config',
    {
      id: '1.2.27',
      title: 'encryption at rest',
      by: 'not there',
      why: 'kagent does not do it yet: Secrets are in the datastore’s files and snapshots as they are',
      next: 'encrypt the disk; or kube-apiserver-arg: encryption-provider-config=FILE, with a key of your own to keep',
    },
    isFile,
  ),
  flagFits(
    apiserver,
    'encryption-provider-config',
    { id: '1.2.28', title: 'encryption providers', by: 'not there', why: 'as 1.2.27', next: 'as 1.2.27' },
    isFile,
  ),
  flagFits(
    apiserver,
    'tls-cipher-suites',
    { id: '1.2.29', title: 'strong ciphers alone', why: 'ECDHE with AES-GCM or ChaCha20, and TLS 1.3' },
    (value) => value?.split(',').every((name) => strongCipherSuites.includes(name)) === true,
  ),
  flagFits(
    apiserver,
    'service-account-extend-token-expiration',
    {
      id: '1.2.30',
      title: 'tokens end when they say',
      by: 'profile',
      why: 'old client libraries read their token once, and fail after an hour',
    },
    isFalse,
  ),
];

/** 1.3, 1.4 */
const ofControllers: readonly CisItem[] = [
  stated(
    '1.3.1',
    'a threshold for Pods that have ended',
    'yours',
    'Kubernetes’ own is 12500',
    'kube-controller-manager-arg: terminated-pod-gc-threshold=N',
  ),
  flagFits(manager, 'profiling', { id: '1.3.2', title: 'no profiling', why: 'kagent turns it off' }, isFalse),
  flagFits(
    manager,
    'use-service-account-credentials',
    { id: '1.3.3', title: 'an account for each controller', why: 'kagent turns it on' },
    (value) => value === 'true',
  ),
  flagFits(
    manager,
    'service-account-private-key-file',
    { id: '1.3.4', title: 'a key for service accounts', why: 'one of its own' },
    isFile,
  ),
  flagFits(manager, 'root-ca-file', { id: '1.3.5', title: 'a root CA', why: 'kagent gives it' }, isFile),
  stated('1.3.6', 'kubelets’ serving certificates are renewed', 'default', 'kagent issues and renews them itself'),
  flagFits(
    manager,
    'bind-address',
    { id: '1.3.7', title: 'on 127.0.0.1', why: 'kagent says so' },
    (value) => value === '127.0.0.1',
  ),
  flagFits(scheduler, 'profiling', { id: '1.4.1', title: 'no profiling', why: 'kagent turns it off' }, isFalse),
  flagFits(
    scheduler,
    'bind-address',
    { id: '1.4.2', title: 'on 127.0.0.1', why: 'kagent says so' },
    (value) => value === '127.0.0.1',
  ),
];

/** 2, 3 */
const rest: readonly CisItem[] = [
  ...[
    ['2.1', 'etcd: a certificate'],
    ['2.2', 'etcd: clients show certificates'],
    ['2.3', 'etcd: no certificates of its own making'],
  ].map(([id = '', title = '']) =>
    stated(id, title, 'not applicable', 'the datastore is a part of kagent; its socket is root’s alone'),
  ),
  ...[
    ['2.4', 'etcd: a certificate for peers'],
    ['2.5', 'etcd: peers show certificates'],
    ['2.6', 'etcd: none of its own making for peers'],
    ['2.7', 'etcd: a CA of its own'],
  ].map(([id = '', title = '']) => stated(id, title, 'not applicable', 'there is one datastore, without peers')),
  stated(
    '3.1.1',
    'no client certificates for people',
    'yours',
    'certificates of `kagent kubeconfig user` cannot be revoked',
    'give them a short --ttl, or use OIDC by kube-apiserver-arg',
  ),
  stated('3.1.2', 'no service account tokens for people', 'yours', 'kagent makes none'),
  stated(
    '3.1.3',
    'no bootstrap tokens for people',
    'default',
    'kube-apiserver does not take them; kagent’s own join nodes alone',
  ),
  flagFits(
    apiserver,
    'audit-policy-file',
    { id: '3.2.1', title: 'an audit policy', by: 'profile', why: 'server/etc/audit-policy.json in the data dir' },
    isFile,
  ),
  flagFits(
    apiserver,
    'audit-policy-file',
    {
      id: '3.2.2',
      title: 'the audit policy covers what matters',
      by: 'profile',
      why: 'who did what to which object, but for probes, leases, events and watches; never a content',
    },
    isFile,
  ),
];

export const controlPlaneItems: readonly CisItem[] = [...files, ...ofApiserver, ...ofControllers, ...rest];
