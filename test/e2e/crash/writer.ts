/**
 * Creates ConfigMaps one after the other until it is told to stop, and prints the name of each one that kube-apiserver
 * acknowledged. Run inside the box: `node writer.ts <kubeconfig> <namespace>`.
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'yaml';

interface Kubeconfig {
  readonly clusters: readonly [{ readonly cluster: Readonly<Record<string, string>> }];
  readonly users: readonly [{ readonly user: Readonly<Record<string, string>> }];
}

const [kubeconfigPath = '', namespace = ''] = process.argv.slice(2);
const kubeconfig = parse(readFileSync(kubeconfigPath, 'utf8')) as Kubeconfig;
const { cluster } = kubeconfig.clusters[0];
const { user } = kubeconfig.users[0];
const decoded = (base64 = '') => Buffer.from(base64, 'base64');
const agent = new Agent({
  keepAlive: true,
  ca: decoded(cluster['certificate-authority-data']),
  cert: decoded(user['client-certificate-data']),
  key: decoded(user['client-key-data']),
});
const url = `${cluster['server']}/api/v1/namespaces/${namespace}/configmaps`;

/** Whether it was acknowledged; anything else (refused, cut off, silent) tells nothing about it. */
function create(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json' };
    const asked = request(url, { method: 'POST', agent, headers, timeout: 2000 }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode === 201));
      response.once('error', () => resolve(false));
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(false));
    asked.end(JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } }));
  });
}

let isOver = false;
process.once('SIGTERM', () => (isOver = true));
for (let i = 0; !isOver; i++) {
  const name = `object-${i}`;
  if (await create(name)) process.stdout.write(`${name}\n`);
  await delay(25);
}
agent.destroy();
