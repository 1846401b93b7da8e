import { join } from 'node:path';
import { writeFileIfChanged } from '../../shared/files/files.ts';
import { kubeconfigText } from '../../shared/kubeconfig/kubeconfig.ts';
import type { Paths } from '../../shared/paths.ts';

/** Where everything of a node's identity lies. */
export interface IdentityFiles {
  /** By which the node trusts kube-apiserver and the supervisor. */
  readonly serverCa: string;
  /** By which the kubelet trusts its clients. */
  readonly clientCa: string;
  /** The kubelet's towards kube-apiserver. */
  readonly kubeletCert: string;
  readonly kubeletKey: string;
  readonly kubeletServingCert: string;
  readonly kubeletServingKey: string;
  readonly kubeProxyCert: string;
  readonly flannelCert: string;
  readonly kubeletKubeconfig: string;
  readonly kubeProxyKubeconfig: string;
  readonly flannelKubeconfig: string;
}

/** One key pair each; their names in the join messages. */
export const pairs = {
  kubelet: 'kubelet',
  kubeletServing: 'kubelet-serving',
  kubeProxy: 'kube-proxy',
  flannel: 'flannel',
} as const;
export type Pair = keyof typeof pairs;
export const pairNames = Object.keys(pairs) as readonly Pair[];

export function certFile(paths: Paths, pair: Pair): string {
  return join(paths.agent.pki, `${pairs[pair]}.crt`);
}

export function keyFile(paths: Paths, pair: Pair): string {
  return join(paths.agent.pki, `${pairs[pair]}.key`);
}

export function caFiles(paths: Paths): { readonly server: string; readonly client: string } {
  return { server: join(paths.agent.pki, 'server-ca.crt'), client: join(paths.agent.pki, 'client-ca.crt') };
}

/** Paths of the identity; its kubeconfigs are written if `apiserverUrl` is not the one they have. */
export function identityFiles(paths: Paths, apiserverUrl: string): IdentityFiles {
  const ca = caFiles(paths);
  const kubeconfig = (pair: 'kubelet' | 'kubeProxy' | 'flannel') => {
    const path = join(paths.agent.pki, `${pairs[pair]}.kubeconfig`);
    const text = kubeconfigText({
      server: apiserverUrl,
      user: pairs[pair],
      ca: { file: ca.server },
      certificate: { file: certFile(paths, pair) },
      key: { file: keyFile(paths, pair) },
    });
    writeFileIfChanged(path, text, 0o600);
    return path;
  };
  return {
    serverCa: ca.server,
    clientCa: ca.client,
    kubeletCert: certFile(paths, 'kubelet'),
    kubeletKey: keyFile(paths, 'kubelet'),
    kubeletServingCert: certFile(paths, 'kubeletServing'),
    kubeletServingKey: keyFile(paths, 'kubeletServing'),
    kubeProxyCert: certFile(paths, 'kubeProxy'),
    flannelCert: certFile(paths, 'flannel'),
    kubeletKubeconfig: kubeconfig('kubelet'),
    kubeProxyKubeconfig: kubeconfig('kubeProxy'),
    flannelKubeconfig: kubeconfig('flannel'),
  };
}
