/** What the probes of several benches ask kube-apiserver with, on a server's own box. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { parse } from 'yaml';

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[];
  readonly users: readonly { readonly user: Readonly<Record<string, string>> }[];
}

/** Where kube-apiserver is, and who asks: PEM. @throws while the file is not there */
export function readKubeconfig(path = '/etc/kagent/kagent.yaml') {
  const { clusters, users } = parse(readFileSync(path, 'utf8')) as Kubeconfig;
  const pem = (text = '') => Buffer.from(text, 'base64').toString();
  const cluster = clusters[0]?.cluster ?? {};
  const user = users[0]?.user ?? {};
  return {
    url: cluster['server'] ?? '',
    ca: pem(cluster['certificate-authority-data']),
    cert: pem(user['client-certificate-data']),
    key: pem(user['client-key-data']),
  };
}

export interface Kube {
  /** POST where there is a body. */
  ask(path: string, body?: unknown): Promise<{ readonly status: number; readonly text: string }>;
  close(): void;
}

/** Keeps its connection: what is timed is the answer. */
export function openKube({ url, ...tls }: ReturnType<typeof readKubeconfig>): Kube {
  const agent = new Agent({ ...tls, keepAlive: true });
  const headers = { 'content-type': 'application/json' };
  return {
    ask: (path, body) =>
      new Promise((resolve, reject) => {
        const method = body === undefined ? 'GET' : 'POST';
        const asked = request(`${url}${path}`, { agent, headers, method }, (reply) => {
          let text = '';
          reply.on('data', (bytes: Buffer) => (text += bytes.toString()));
          reply.once('end', () => resolve({ status: reply.statusCode ?? 0, text }));
        });
        asked.once('error', reject);
        asked.end(body === undefined ? undefined : JSON.stringify(body));
      }),
    close: () => agent.destroy(),
  };
}
