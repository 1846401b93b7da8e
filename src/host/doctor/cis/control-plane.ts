import { apiserverItems } from './apiserver.ts';
import { controlPlaneFiles } from './control-plane-files.ts';
import { isFalse, isFile } from './flag-values.ts';
import { flagFits, stated, statedOf } from './item.ts';
import type { CisItem } from './item.ts';

const apiserver = 'kube-apiserver';
const manager = 'kube-controller-manager';
const scheduler = 'kube-scheduler';

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
  statedOf(
    manager,
    '1.3.6',
    'kubelets’ serving certificates are renewed',
    'default',
    'kagent issues and renews them itself',
  ),
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
    stated(
      id,
      title,
      'not applicable',
      'the datastore is a part of kagent; its socket is for root and kube-apiserver alone',
    ),
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
  statedOf(
    apiserver,
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

export const controlPlaneItems: readonly CisItem[] = [
  ...controlPlaneFiles,
  ...apiserverItems,
  ...ofControllers,
  ...rest,
];
