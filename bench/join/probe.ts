/**
 * Prints, as JSON, when a node became Ready and when its pod first answered: milliseconds since 1970. Run by join.ts on the
 * server's box: `node probe.ts NODE APP`.
 */
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { Agent, request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'yaml';

const [, , nodeName = '', app = ''] = process.argv;
const beganAtMs = Date.now();
const { url, agent } = credentials();

interface Node {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly lastHeartbeatTime: string;
    }[];
  };
}
interface Pods {
  readonly items: readonly {
    readonly metadata: { readonly deletionTimestamp?: string };
    readonly status: { readonly podIP?: string };
  }[];
}

const nodeReady = await until(async () => {
  const node = await ask<Node>(`/api/v1/nodes/${nodeName}`);
  const ready = node?.status?.conditions?.find(({ type, status }) => type === 'Ready' && status === 'True');
  // Of a node that was Ready before its box booted, only the kubelet's word is new. The time has whole seconds.
  return ready !== undefined && Date.parse(ready.lastHeartbeatTime) + 1000 > beganAtMs;
});
const podServing = await until(async () => {
  const pods = await ask<Pods>(`/api/v1/namespaces/default/pods?labelSelector=app%3D${app}`);
  const address = pods?.items.find(({ metadata }) => metadata.deletionTimestamp === undefined)?.status.podIP;
  return address !== undefined && (await answers(address));
});
agent.destroy();
process.stdout.write(JSON.stringify({ nodeReady, podServing }));

function credentials() {
  interface Kubeconfig {
    readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[];
    readonly users: readonly { readonly user: Readonly<Record<string, string>> }[];
  }
  const { clusters, users } = parse(readFileSync('/etc/kagent/kagent.yaml', 'utf8')) as Kubeconfig;
  const pem = (text = '') => Buffer.from(text, 'base64').toString();
  const [{ cluster } = { cluster: {} as Readonly<Record<string, string>> }] = clusters;
  const [{ user } = { user: {} as Readonly<Record<string, string>> }] = users;
  const tls = {
    ca: pem(cluster['certificate-authority-data']),
    cert: pem(user['client-certificate-data']),
    key: pem(user['client-key-data']),
  };
  return { url: cluster['server'] ?? '', agent: new Agent({ ...tls, keepAlive: true }) };
}

/** @returns when it was so, to ten milliseconds */
async function until(look: () => Promise<boolean>): Promise<number> {
  while (!(await look().catch(() => false))) await delay(10);
  return Date.now();
}

function ask<T>(path: string): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(`${url}${path}`, { agent }, (reply) => {
      let text = '';
      reply.on('data', (bytes: Buffer) => (text += bytes.toString()));
      reply.once('end', () => resolve(reply.statusCode === 200 ? (JSON.parse(text) as T) : undefined));
    });
    asked.once('error', reject);
    asked.end();
  });
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = get({ host: address, timeout: 500, agent: false }, (reply) => {
      reply.resume();
      resolve(reply.statusCode === 200);
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(false));
  });
}
