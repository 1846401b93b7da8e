import { join } from 'node:path';
import { readFileIfExists, writeFileIfChanged } from '../../shared/files/files.ts';
import { kubeconfigText } from '../../kube/kube.ts';
import type { Paths } from '../../shared/paths.ts';

export interface PairFiles {
  readonly certPath: string;
  readonly keyPath: string;
}

/** Where everything of a node's identity lies. */
export interface IdentityFiles {
  /** By which the node trusts kube-apiserver and the supervisor. */
  readonly serverCa: string;
  /** By which the node's programs trust what answers at their kube-apiserver's address. */
  readonly apiserverCa: string;
  /** By which the kubelet trusts its clients. */
  readonly clientCa: string;
  /** Certificate and key of each program; `kubelet` is the kubelet's towards kube-apiserver. */
  readonly pairs: Readonly<Record<Pair, PairFiles>>;
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

/**
 * Paths of the identity; its kubeconfigs are written if `apiserverUrl` is not the one they have.
 * @param alsoTrustedPem what may answer there beside the server
 */
export function identityFiles(paths: Paths, apiserverUrl: string, alsoTrustedPem?: string): IdentityFiles {
  const ca = caFiles(paths);
  const apiserverCa = alsoTrustedPem === undefined ? ca.server : withAlsoTrusted(paths, alsoTrustedPem);
  const files = (pair: Pair): PairFiles => ({ certPath: certFile(paths, pair), keyPath: keyFile(paths, pair) });
  const kubeconfig = (pair: 'kubelet' | 'kubeProxy' | 'flannel') => {
    const path = join(paths.agent.pki, `${pairs[pair]}.kubeconfig`);
    const text = kubeconfigText({
      server: apiserverUrl,
      user: pairs[pair],
      ca: { file: apiserverCa },
      certificate: { file: files(pair).certPath },
      key: { file: files(pair).keyPath },
    });
    writeFileIfChanged(path, text, 0o600);
    return path;
  };
  return {
    serverCa: ca.server,
    apiserverCa,
    clientCa: ca.client,
    pairs: {
      kubelet: files('kubelet'),
      kubeletServing: files('kubeletServing'),
      kubeProxy: files('kubeProxy'),
      flannel: files('flannel'),
    },
    kubeletKubeconfig: kubeconfig('kubelet'),
    kubeProxyKubeconfig: kubeconfig('kubeProxy'),
    flannelKubeconfig: kubeconfig('flannel'),
  };
}

function withAlsoTrusted(paths: Paths, alsoTrustedPem: string): string {
  const path = join(paths.agent.pki, 'apiserver-ca.crt');
  writeFileIfChanged(path, `${readFileIfExists(caFiles(paths).server) ?? ''}${alsoTrustedPem}`, 0o600);
  return path;
}
