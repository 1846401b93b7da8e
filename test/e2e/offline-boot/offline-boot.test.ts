/** The power comes back, and the agent's box is up before its server's. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { executable } from '../../helpers/cluster.ts';
import { createLab } from '../../helpers/lab.ts';
import type { Lab, LabHost } from '../../helpers/lab.ts';
import { eventually } from '../../helpers/wait.ts';

let lab: Lab;
let server: LabHost;
let agent: LabHost;
let agentFlags: readonly string[];

const kagent = (...args: readonly string[]) => [
  'env',
  '-i',
  'HOME=/root',
  'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
  executable,
  ...args,
];
const kubectl = (...args: readonly string[]) => server.must(kagent('kubectl', ...args), { timeoutMs: 90_000 });

/** Its exit code says that all is ready, which nothing is without a server. */
async function statusOf(host: LabHost): Promise<{ readonly isStarted: boolean; readonly pid: number }> {
  return JSON.parse((await host.exec(kagent('status', '-o', 'json'))).stdout) as Awaited<ReturnType<typeof statusOf>>;
}

async function startReady(host: LabHost, ...args: readonly string[]): Promise<void> {
  host.start(['sh', '-c', 'log=$1; shift; exec "$@" >>$log 2>&1', 'sh', '/var/log/kagent.log', ...kagent(...args)]);
  await eventually(async () => (await statusOf(host)).isStarted, { withinMs: 120_000, what: `a Ready ${host.name}` });
}

const nodePort = 30_080;
const webText = 'as the ConfigMap has it';

const script = [
  'mkdir /www',
  'cp /config/text /www/index.html',
  'echo "$PASSWORD" >/www/password',
  'test -s /var/run/secrets/kubernetes.io/serviceaccount/token && echo yes >/www/token',
  'exec httpd -f -p 80 -h /www',
].join('; ');

const web = {
  apiVersion: 'v1',
  kind: 'List',
  items: [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web' }, data: { text: webText } },
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'web' }, stringData: { password: 'kept' } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, nodePort }] },
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'web' },
      spec: {
        podSelector: { matchLabels: { app: 'web' } },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ ports: [{ port: 80 }] }],
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            nodeName: 'a1',
            terminationGracePeriodSeconds: 1,
            volumes: [{ name: 'config', configMap: { name: 'web' } }],
            containers: [
              {
                name: 'web',
                image: 'kagent.sh/busybox:1',
                command: ['sh', '-c', script],
                env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'web', key: 'password' } } }],
                resources: { limits: { memory: '32Mi' } },
                volumeMounts: [{ name: 'config', mountPath: '/config' }],
                readinessProbe: { httpGet: { path: '/', port: 80 }, periodSeconds: 1 },
              },
            ],
          },
        },
      },
    },
  ],
};

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status: { readonly containerStatuses: readonly { readonly restartCount: number }[] };
}

async function pods(): Promise<readonly Pod[]> {
  const { items } = JSON.parse(await kubectl('get', 'pods', '-l', 'app=web', '-o', 'json')) as {
    items: readonly Pod[];
  };
  return items;
}
const uidsOf = (found: readonly Pod[]) => found.map((pod) => pod.metadata.uid).toSorted();
const restartsOf = (found: readonly Pod[]) =>
  found
    .toSorted((a, b) => a.metadata.uid.localeCompare(b.metadata.uid))
    .map((pod) => pod.status.containerStatuses[0]?.restartCount ?? 0);

async function page(path: string): Promise<string> {
  const { code, stdout } = await agent.exec(['curl', '-sf', '-m', '3', `http://${agent.address}:${nodePort}/${path}`]);
  return code === 0 ? stdout.trim() : '';
}

/** The containers of the pods as the box itself has them. */
async function containers(): Promise<readonly string[]> {
  const list = await agent.must(kagent('crictl', 'ps', '-o', 'json', '--name', 'web'));
  const found = (JSON.parse(list) as { readonly containers: readonly { readonly id: string }[] }).containers;
  return found.map(({ id }) => id).toSorted();
}

async function tokens(): Promise<string> {
  return agent.must(['sh', '-c', 'cat /var/lib/kubelet/pods/*/volumes/kubernetes.io~projected/*/token']);
}

async function endKagent(): Promise<void> {
  const pid = String((await statusOf(agent)).pid);
  await agent.must(['kill', pid]);
  // Without its server kagent's status ends with 1 while it still runs.
  const isGone = async () => (await agent.exec(['kill', '-0', pid])).code !== 0;
  await eventually(isGone, { withinMs: 60_000, what: 'an end of kagent' });
}

const hasPage = async () => (await page('')) === webText;
let before: readonly Pod[];
let offlineContainers: readonly string[];

beforeAll(async () => {
  lab = await createLab();
  server = await lab.host('s1', 11);
  agent = await lab.host('a1', 21);
  await startReady(server, 'server');
  const token = (await server.must(['cat', '/var/lib/kagent/server/node-token'])).trim();
  agentFlags = ['agent', '--url', `https://${server.address}:9345`, '--token', token];
  await startReady(agent, ...agentFlags);
  await server.must(['sh', '-c', `cat >/tmp/web.json <<'END'\n${JSON.stringify(web)}\nEND`]);
  await kubectl('apply', '-f', '/tmp/web.json');
  await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
  // The second pods have other addresses than the first ones of a boot.
  await kubectl('rollout', 'restart', 'deployment/web');
  await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
  await eventually(async () => (await pods()).length === 2, { withinMs: 30_000, what: 'an end of the first pods' });
  before = await pods();
  await eventually(hasPage, { withinMs: 10_000, what: 'a page of the NodePort' });
  const isKept = async () => {
    const files = await agent.must(['sh', '-c', 'cat /var/lib/kagent/agent/offline/*.json']);
    const isInPodsAndEndpoints = (pod: Pod) => files.split(pod.metadata.uid).length > 2;
    return (
      files.includes(webText) &&
      files.includes('policyTypes') &&
      before.every(isInPodsAndEndpoints) &&
      files.split('"phase":"Running"').length === 3
    );
  };
  await eventually(isKept, { withinMs: 40_000, what: 'a memory of the pods' });
});
afterAll(() => lab?.wipe());

test('an agent that boots without its server runs its pods, with their ConfigMap, Secret, token and Service', async () => {
  await server.off();
  await agent.off();
  await agent.up();
  await startReady(agent, ...agentFlags);
  await eventually(hasPage, { withinMs: 60_000, what: 'the page again' });
  expect(await page('password')).toBe('kept');
  expect(await page('token')).toBe('yes');
  await eventually(async () => (await containers()).length === 2, { withinMs: 30_000, what: 'both pods' });
  const rules = await agent.must(['nft', 'list', 'table', 'ip', 'kagent-netpol']);
  expect(rules.match(/goto pod\/default\/web-\S+\/(ingress|egress)/g)).toHaveLength(4);
});

test('a kagent that starts again without its server leaves the pods as they are', async () => {
  const running = await containers();
  await endKagent();
  await startReady(agent, ...agentFlags);
  await eventually(hasPage, { withinMs: 30_000, what: 'the page after the second start' });
  expect(await containers()).toEqual(running);
  offlineContainers = running;
});

test('when the server is back the node joins it with the same pods, none of them starts again, and changes arrive', async () => {
  await server.up();
  await startReady(server, 'server');
  await kubectl('wait', '--for=condition=Ready', 'node/a1', '--timeout=90s');
  const isAsItIs = async () => restartsOf(await pods()).every((restarts) => restarts > 0); // the boot itself
  await eventually(isAsItIs, { withinMs: 60_000, what: 'the true state of the pods' });
  const after = await pods();
  expect(uidsOf(after)).toEqual(uidsOf(before));
  const isTrueToken = async () => !(await tokens()).includes('the-server-is-away');
  await eventually(isTrueToken, { withinMs: 180_000, what: 'tokens of the server' });
  expect(await containers()).toEqual(offlineContainers);
  expect(restartsOf(await pods())).toEqual(restartsOf(after));
  await eventually(hasPage, { withinMs: 20_000, what: 'the page by way of the server' });
  await kubectl('set', 'env', 'deployment/web', 'CHANGED=yes');
  await kubectl('rollout', 'status', 'deployment/web', '--timeout=80s');
  const areNew = async () => uidsOf(await pods()).every((uid) => !uidsOf(before).includes(uid));
  await eventually(areNew, { withinMs: 30_000, what: 'an end of the pods of before' });
  await eventually(hasPage, { withinMs: 20_000, what: 'the page of the new pods' });
});

test('with --disable-offline-boot nothing of it stays on the disk', async () => {
  await endKagent();
  await startReady(agent, ...agentFlags, '--disable-offline-boot');
  expect(await agent.must(['ls', '/var/lib/kagent/agent'])).not.toContain('offline');
  expect(await agent.must(['cat', '/var/lib/kagent/agent/pki/kubelet.kubeconfig'])).toContain('server-ca.crt');
  await eventually(hasPage, { withinMs: 20_000, what: 'the page' });
});
