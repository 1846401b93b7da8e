import { strongCipherSuites } from '../../../shared/tls-cipher-suites.ts';
import { atLeast, includes, isFalse, isFile, lacks, notFalse } from './flag-values.ts';
import { flagFits, stated } from './item.ts';
import type { CisItem } from './item.ts';

const apiserver = 'kube-apiserver';

/** 1.2 */
export const apiserverItems: readonly CisItem[] = [
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
  flagFits(
    apiserver,
    'request-timeout',
    { id: '1.2.20', title: 'request timeout', why: 'Kubernetes’ own, a minute' },
    (value) => value === undefined || !/^0\D*$/.test(value),
  ),
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
    'the datastore listens on a socket that root and kube-apiserver alone open',
  ),
  flagFits(
    apiserver,
    'tls-cert-file',
    { id: '1.2.24', title: 'a serving certificate', why: 'kagent gives one' },
    isFile,
  ),
  flagFits(apiserver, 'client-ca-file', { id: '1.2.25', title: 'a client CA', why: 'one of its own' }, isFile),
  stated(
    '1.2.26',
    'etcd’s CA',
    'not applicable',
    'the datastore listens on a socket that root and kube-apiserver alone open',
  ),
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
