import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { etcdAddress, etcdClientFiles } from '../shared/etcd-member.ts';
import { runPaths } from '../shared/paths.ts';
import { proxyVariables } from '../shared/proxy/proxy.ts';

export const passedThrough = ['kubectl', 'crictl', 'ctr', 'helm', 'etcdctl'] as const;
export type PassedThrough = (typeof passedThrough)[number];

/** Becomes the bundled tool, with what it needs to find this box's cluster unless the caller says otherwise. Never returns. */
export function becomeTool(
  tool: PassedThrough,
  args: readonly string[],
  { binDir, kubeconfig, tlsDir }: { readonly binDir: string; readonly kubeconfig: string; readonly tlsDir: string },
): never {
  const socket = runPaths.containerdSocket;
  const etcd = etcdClientFiles(tlsDir);
  const defaults: Record<PassedThrough, Record<string, string>> = {
    kubectl: { KUBECONFIG: kubeconfig },
    helm: { KUBECONFIG: kubeconfig },
    crictl: { CONTAINER_RUNTIME_ENDPOINT: `unix://${socket}`, IMAGE_SERVICE_ENDPOINT: `unix://${socket}` },
    ctr: { CONTAINERD_ADDRESS: socket, CONTAINERD_NAMESPACE: 'k8s.io' },
    etcdctl: {
      ETCDCTL_ENDPOINTS: etcdAddress,
      ETCDCTL_CACERT: etcd.ca,
      ETCDCTL_CERT: etcd.cert,
      ETCDCTL_KEY: etcd.key,
    },
  };
  if (process.execve === undefined) throw new TypeError('this Node cannot replace its process'); // Windows alone
  const direct = tool === 'kubectl' || tool === 'helm' ? proxyVariables(process.env, serversOf(kubeconfig)) : {};
  return process.execve(join(binDir, tool), [tool, ...args], { ...defaults[tool], ...process.env, ...direct });
}

/** This box's own kube-apiserver, which no proxy leads to; none for a user who may not read where it is. */
function serversOf(kubeconfig: string): readonly string[] {
  try {
    const found = readFileSync(kubeconfig, 'utf8').matchAll(/https:\/\/([\w.-]+)/g);
    return [...found].map(([, host = '']) => host);
  } catch {
    return [];
  }
}
