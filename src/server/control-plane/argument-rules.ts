import { both, endingFlags } from '../../shared/arguments/arguments.ts';
import type { FlagRule, FlagRules } from '../../shared/arguments/arguments.ts';
import type { Accounts } from './types.ts';

const refused = (instead: string): FlagRule => ({ becomes: 'refused', instead });

const ownCertificate = refused(
  "its clients trust the cluster's own CA; for a certificate of yours, with names of its own, use 'tls-sni-cert-key=CERT,KEY'",
);
const kubeletCertificates = refused(
  "the cluster's kubelets and kube-apiserver know each other by its own CAs; leave it out",
);
const oidc: FlagRule = { becomes: 'written', how: "written into kagent's AuthenticationConfiguration, as an issuer" };
const setsModes: FlagRule = { becomes: 'alone', without: ['authorization-config'] };

const apiserver: FlagRules = {
  'bind-address': refused("kagent's own programs ask kube-apiserver there; use bind-address"),
  'secure-port': refused("kagent's own programs and nodes ask kube-apiserver there; use https-listen-port"),
  'service-cluster-ip-range': refused('it is a setting of the whole cluster; use service-cidr'),
  'tls-cert-file': ownCertificate,
  'tls-private-key-file': ownCertificate,
  'client-ca-file': refused(
    "nodes and kagent use certificates of the cluster's client CA; users have 'kagent kubeconfig user', oidc-issuer-url or authentication-config",
  ),
  'kubelet-certificate-authority': kubeletCertificates,
  'kubelet-client-certificate': kubeletCertificates,
  'kubelet-client-key': kubeletCertificates,
  'etcd-servers': refused(
    "snapshots and nodes' identities are in kagent's own datastore; some resources can be elsewhere by etcd-servers-overrides",
  ),
  'oidc-signing-algs': refused(
    'kube-apiserver accepts every algorithm for which the issuer has published a key; leave it out',
  ),
  'oidc-issuer-url': oidc,
  'oidc-client-id': oidc,
  'oidc-ca-file': oidc,
  'oidc-username-claim': oidc,
  'oidc-username-prefix': oidc,
  'oidc-groups-claim': oidc,
  'oidc-groups-prefix': oidc,
  'oidc-required-claim': oidc,
  'anonymous-auth': {
    becomes: 'written',
    how: "written into kagent's AuthenticationConfiguration: false lets nobody in without credentials, true lets RBAC decide; unless set, only health and version are open",
  },
  'authentication-config': { becomes: 'alone', without: [] },
  'authorization-config': { becomes: 'alone', without: [] },
  'authorization-mode': setsModes,
  'authorization-policy-file': setsModes,
  'authorization-webhook-config-file': setsModes,
  'authorization-webhook-version': setsModes,
  'authorization-webhook-cache-authorized-ttl': setsModes,
  'authorization-webhook-cache-unauthorized-ttl': setsModes,
  'feature-gates': both,
  'runtime-config': both,
  'enable-admission-plugins': {
    becomes: 'merged',
    how: "added to kagent's NodeRestriction, which disable-admission-plugins takes away",
    merge: (ours, theirs) => [[...new Set([ours, ...theirs].flatMap((list) => list.split(',')))].join(',')],
  },
  'admission-control': { becomes: 'alone', without: ['enable-admission-plugins'] },
  'service-account-issuer': {
    becomes: 'merged',
    how: "tokens are issued under it; those of kagent's issuer stay valid",
    merge: (ours, theirs) => [...new Set([...theirs, ours])],
  },
  'service-account-key-file': {
    becomes: 'merged',
    how: "added to kagent's key",
    merge: (ours, theirs) => [ours, ...theirs],
  },
  'service-account-signing-endpoint': {
    becomes: 'alone',
    without: ['service-account-key-file', 'service-account-signing-key-file'],
  },
};

/** Of what listens on loopback, for kagent and for whoever reads metrics. */
const local: FlagRules = {
  'secure-port': {
    becomes: 'refused',
    instead: 'kagent asks there whether it is healthy; give it a free port',
    when: (value) => value === '0',
  },
  'tls-cert-file': ownCertificate,
  'tls-private-key-file': ownCertificate,
  'feature-gates': both,
};

const everyKey = ['kube-apiserver-client', 'kubelet-client', 'kubelet-serving', 'legacy-unknown'].flatMap((signer) => [
  `cluster-signing-${signer}-cert-file`,
  `cluster-signing-${signer}-key-file`,
]);

const controllerManager: FlagRules = {
  ...local,
  'cluster-cidr': refused('it is a setting of the whole cluster; use cluster-cidr'),
  'service-cluster-ip-range': refused('it is a setting of the whole cluster; use service-cidr'),
  'node-cidr-mask-size-ipv4': { becomes: 'alone', without: ['node-cidr-mask-size'] },
  'cluster-signing-cert-file': { becomes: 'alone', without: everyKey },
  'cluster-signing-key-file': { becomes: 'alone', without: everyKey },
  controllers: {
    becomes: 'merged',
    how: "in place of kagent's '*'; storageversion-garbage-collector-controller stays off unless it is named",
    merge(ours, theirs) {
      const list = theirs.flatMap((value) => value.split(','));
      const off = ours.split(',').filter((one) => one.startsWith('-') && !list.includes(one.slice(1)));
      return [[...new Set([...list, ...off])].join(',')];
    },
  },
};

const intoSchedulerConfig: FlagRule = { becomes: 'written', how: 'written into what config names, if that is set' };

const scheduler: FlagRules = {
  ...local,
  config: { becomes: 'written', how: "a copy of the file, with kagent's kubeconfig where it names none" },
  'write-config-to': refused('kube-scheduler would write the file and exit'),
  kubeconfig: intoSchedulerConfig,
  profiling: intoSchedulerConfig,
  'contention-profiling': intoSchedulerConfig,
  'kube-api-content-type': intoSchedulerConfig,
  'kube-api-qps': intoSchedulerConfig,
  'kube-api-burst': intoSchedulerConfig,
};

export const argumentRules: Readonly<Record<keyof Accounts, FlagRules>> = {
  'kube-apiserver': { ...endingFlags, ...apiserver },
  'kube-controller-manager': { ...endingFlags, ...controllerManager },
  'kube-scheduler': { ...endingFlags, ...scheduler },
};
