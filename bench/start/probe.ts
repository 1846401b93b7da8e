/**
 * Starts `kagent server` on this box and prints, as JSON, when what was there: milliseconds from the start of the process.
 * Run by start.ts inside a host of the lab; asks every few milliseconds from the same box, by the same clock.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { Agent, request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const [, , kagent = '', image = '', mode = 'fresh'] = process.argv;
const startedAt = performance.now();
const server = spawn(kagent, ['server'], { stdio: ['ignore', 'ignore', 'pipe'] });
let said = '';
server.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()));
server.once('exit', (code) => {
  if (code === 0) return;
  process.stderr.write(said);
  process.exit(1);
});

const times: Record<string, number> = {};
const mark = (name: string) => (times[name] ??= Math.round(performance.now() - startedAt));

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: Record<string, string> }[];
  readonly users: readonly { readonly user: Record<string, string> }[];
}

const until = async <T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> => {
  for (;;) {
    const found = await Promise.resolve()
      .then(look)
      .catch(() => undefined);
    if (found !== undefined) return found;
    await delay(10);
  }
};

const { url, agent } = await until(() => {
  const { clusters, users } = parse(readFileSync('/etc/kagent/kagent.yaml', 'utf8')) as Kubeconfig;
  const pem = (text: string | undefined) => Buffer.from(text ?? '', 'base64').toString();
  const user = users[0]?.user ?? {};
  const ca = pem(clusters[0]?.cluster['certificate-authority-data']);
  const cert = pem(user['client-certificate-data']);
  const key = pem(user['client-key-data']);
  return { url: clusters[0]?.cluster['server'] ?? '', agent: new Agent({ ca, cert, key, keepAlive: true }) };
});

function ask(path: string, body?: unknown): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const asked = request(`${url}${path}`, { agent, headers, method: body === undefined ? 'GET' : 'POST' }, (reply) => {
      let text = '';
      reply.on('data', (bytes: Buffer) => (text += bytes.toString()));
      reply.once('end', () => resolve({ status: reply.statusCode ?? 0, text }));
    });
    asked.once('error', reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const labels = { app: 'first' };
const script = 'mkdir /www && echo served >/www/index.html && exec httpd -f -p 8080 -h /www';
const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'first' },
  spec: {
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'web', image, command: ['sh', '-c', script] }],
      },
    },
  },
};

const served = (address: string) =>
  new Promise<true>((resolve, reject) => {
    const asked = get({ host: address, port: 8080, agent: false, timeout: 500 }, (reply) => {
      reply.resume();
      if (reply.statusCode === 200) resolve(true);
      else reject(new Error('not yet'));
    });
    asked.once('error', reject);
  });

interface Pods {
  readonly items: readonly { readonly status?: { readonly podIP?: string } }[];
}

const apiReady = until(async () => ((await ask('/readyz')).status === 200 ? mark('apiReady') : undefined));
const nodeReady = until(async () => {
  const { items = [] } = JSON.parse((await ask('/api/v1/nodes')).text) as {
    readonly items?: readonly { readonly status: { readonly conditions: readonly Record<string, string>[] } }[];
  };
  const ready = items[0]?.status.conditions.find((condition) => condition['type'] === 'Ready');
  return ready?.['status'] === 'True' ? mark('nodeReady') : undefined;
});
const podServing = (async () => {
  if (mode === 'fresh') {
    await until(async () => {
      const { status } = await ask('/apis/apps/v1/namespaces/default/deployments', deployment);
      return status === 201 || status === 409 ? true : undefined;
    });
  }
  await until(async () => {
    const pods = JSON.parse((await ask('/api/v1/namespaces/default/pods?labelSelector=app%3Dfirst')).text) as Pods;
    const address = pods.items[0]?.status?.podIP;
    return address === undefined ? undefined : await served(address);
  });
  mark('podServing');
})();
await Promise.all([apiReady, nodeReady, podServing]);
const timeline = await until(async () => {
  const asked = get({ socketPath: '/run/kagent/kagent.sock', path: '/status', agent: false });
  const [reply] = (await once(asked, 'response')) as [AsyncIterable<Buffer>];
  let text = '';
  for await (const bytes of reply) text += bytes.toString();
  const status = JSON.parse(text) as { readonly isReady: boolean; readonly components: readonly unknown[] };
  return status.isReady ? status.components : undefined;
});
mark('allReady');
agent.destroy();
server.kill('SIGTERM');
await once(server, 'exit');
process.stdout.write(JSON.stringify({ times, timeline }));
