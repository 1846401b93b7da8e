import { join } from 'node:path';
import { strongCipherSuites } from '../../../shared/tls-cipher-suites.ts';
import { kubeletFits, modeAtMost, ownedByRoot, stated, statedOf } from './item.ts';
import type { CisHost, CisItem } from './item.ts';

const kubeconfig =
  (name: string) =>
  ({ paths }: CisHost) => [join(paths.agent.pki, `${name}.kubeconfig`)];
const clientCa = (host: CisHost) => {
  const file = (host.kubelet('authentication') as { readonly x509?: { readonly clientCAFile?: string } } | undefined)
    ?.x509?.clientCAFile;
  return file === undefined ? [] : [file];
};
const configuration = ({ paths }: CisHost) => [join(paths.agent.etc, 'kubelet.json')];
const hardened = 'some Pods need more; the profile says';

/** 4 */
export const workerItems: readonly CisItem[] = [
  stated(
    '4.1.1',
    'kubelet’s service file: mode',
    'not applicable',
    'the kubelet is a child of kagent; kagent’s own unit has no secret',
  ),
  stated('4.1.2', 'kubelet’s service file: owner', 'not applicable', 'the kubelet is a child of kagent'),
  modeAtMost(
    0o600,
    { id: '4.1.3', title: 'kube-proxy’s kubeconfig: mode 600', why: 'kagent writes it so' },
    kubeconfig('kube-proxy'),
  ),
  ownedByRoot(
    { id: '4.1.4', title: 'kube-proxy’s kubeconfig: root’s', why: 'kagent is root' },
    kubeconfig('kube-proxy'),
  ),
  modeAtMost(
    0o600,
    { id: '4.1.5', title: 'kubelet’s kubeconfig: mode 600', why: 'kagent writes it so' },
    kubeconfig('kubelet'),
  ),
  ownedByRoot({ id: '4.1.6', title: 'kubelet’s kubeconfig: root’s', why: 'kagent is root' }, kubeconfig('kubelet')),
  modeAtMost(0o644, { id: '4.1.7', title: 'client CA: mode 644', why: 'kagent writes it with 600' }, clientCa),
  ownedByRoot({ id: '4.1.8', title: 'client CA: root’s', why: 'kagent is root' }, clientCa),
  modeAtMost(
    0o600,
    { id: '4.1.9', title: 'kubelet’s configuration: mode 600', why: 'kagent writes it so' },
    configuration,
  ),
  ownedByRoot({ id: '4.1.10', title: 'kubelet’s configuration: root’s', why: 'kagent is root' }, configuration),
  kubeletFits(
    'authentication',
    { id: '4.2.1', title: 'no anonymous requests', why: 'kagent turns them off' },
    (value) =>
      (value as { readonly anonymous?: { readonly enabled?: boolean } } | undefined)?.anonymous?.enabled === false,
  ),
  kubeletFits(
    'authorization',
    { id: '4.2.2', title: 'not AlwaysAllow', why: 'kube-apiserver is asked' },
    (value) => (value as { readonly mode?: string } | undefined)?.mode === 'Webhook',
  ),
  {
    ...kubeletFits('authentication', { id: '4.2.3', title: 'a client CA', why: 'the cluster’s' }, () => true),
    look: (host) => (clientCa(host).length > 0 ? undefined : 'there is none'),
  },
  kubeletFits(
    'readOnlyPort',
    { id: '4.2.4', title: 'no read-only port', why: 'kagent turns it off' },
    (value) => value === 0,
  ),
  kubeletFits(
    'streamingConnectionIdleTimeout',
    { id: '4.2.5', title: 'idle streams end', why: 'Kubernetes’ own default, four hours' },
    (value) => value === undefined || (value !== 0 && value !== '0' && value !== '0s'),
  ),
  kubeletFits(
    'makeIPTablesUtilChains',
    { id: '4.2.6', title: 'iptables’ chains', why: 'Kubernetes’ own default' },
    (value) => value !== false,
  ),
  stated(
    '4.2.7',
    'no other host name',
    'yours',
    'the node’s name and its certificate come from the server, so it is said to the kubelet',
  ),
  kubeletFits(
    'eventRecordQPS',
    { id: '4.2.8', title: 'a rate of events', why: 'Kubernetes’ own default, 50 a second' },
    (value) => value !== 0,
  ),
  kubeletFits(
    'tlsCertFile',
    { id: '4.2.9', title: 'a serving certificate', why: 'kagent gives one, of a CA for kubelets alone' },
    (value) => typeof value === 'string',
  ),
  statedOf(
    'kubelet',
    '4.2.10',
    'client certificates are renewed',
    'default',
    'kagent renews them itself, after half of their life',
  ),
  statedOf(
    'kubelet',
    '4.2.11',
    'serving certificates are renewed',
    'default',
    'kagent renews them itself, after half of their life',
  ),
  kubeletFits(
    'tlsCipherSuites',
    { id: '4.2.12', title: 'strong ciphers alone', why: 'ECDHE with AES-GCM or ChaCha20, and TLS 1.3' },
    (value) =>
      Array.isArray(value) && value.length > 0 && value.every((name) => strongCipherSuites.includes(String(name))),
  ),
  kubeletFits(
    'podPidsLimit',
    { id: '4.2.13', title: 'a limit of processes', by: 'profile', why: `4096 a Pod; ${hardened}` },
    (value) => typeof value === 'number' && value > 0,
  ),
  kubeletFits(
    'seccompDefault',
    {
      id: '4.2.14',
      title: 'seccomp for every Pod',
      by: 'profile',
      why: `RuntimeDefault unless a Pod says otherwise; ${hardened}`,
    },
    (value) => value === true,
  ),
  statedOf('kube-proxy', '4.3.1', 'kube-proxy’s metrics on 127.0.0.1', 'default', 'Kubernetes’ own default'),
];
