import { readFileSync } from 'node:fs';
import { join } from 'node:path';
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
  const defaults: Record<PassedThrough, Record<string, string>> = {
    kubectl: { KUBECONFIG: kubeconfig },
    helm: { KUBECONFIG: kubeconfig },
    crictl: { CONTAINER_RUNTIME_ENDPOINT: `unix://${socket}`, IMAGE_SERVICE_ENDPOINT: `unix://${socket}` },
    ctr: { CONTAINERD_ADDRESS: socket, CONTAINERD_NAMESPACE: 'k8s.io' },
    etcdctl: {
      ETCDCTL_ENDPOINTS: 'https://127.0.0.1:2379',
      ETCDCTL_CACERT: join(tlsDir, 'etcd/server-ca.crt'),
      ETCDCTL_CERT: join(tlsDir, 'etcd/client.crt'),
      ETCDCTL_KEY: join(tlsDir, 'etcd/client.key'),
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
