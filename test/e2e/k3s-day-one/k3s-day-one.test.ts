/**
 * What a k3s user tries on the first day: all of it at once, on one new server that reaches nothing, seen from another host. What
 * each of these can besides is in the stories of the workloads, of the nodes and of Helm.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { busyboxImage, createNodes } from '../../helpers/cluster.ts';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { podsOf } from '../../helpers/nodes.ts';
import { eventually } from '../../helpers/wait.ts';
import { helm, packToy, releasesOf } from '../helm/toy.ts';
import { followsTheLoad } from '../nodes/metrics.ts';
import { tlsSecret } from '../nodes/tls-secret.ts';
import { manifest } from '../workloads/manifests.ts';

const staticDir = '/var/lib/kagent/server/static/charts';
let nodes: Nodes;
let server: Box;
let client: Box;
let readyAtMs: number;

beforeAll(async () => {
  nodes = await createNodes('k3s-day-one', { agents: 0 });
  readyAtMs = performance.now();
  ({ server } = nodes);
  client = await nodes.addBox('client', 42);
});
afterAll(() => nodes?.wipe());

/** Waits for what a person sees, and says how long after Ready it was. */
async function seen(what: string, look: () => Promise<boolean>): Promise<void> {
  await eventually(look, { withinMs: 120_000, everyMs: 200, what });
  console.log(`${what}: ${((performance.now() - readyAtMs) / 1000).toFixed(1)} s after Ready`);
}

const fromOutside = async (flags: string, url: string): Promise<string> =>
  (await client.host.exec(['sh', '-c', `curl -s -m 5 ${flags} ${url}`])).stdout;

test('all of it is applied at once, and answers', async () => {
  const { address } = server.host;
  await server.sh(`mkdir -p ${staticDir}`);
  await server.sh(`cp ${await packToy(server, '1.0.0', await busyboxImage())} ${staticDir}`);
  const { caPem, secret } = await tlsSecret('web-tls', ['tls.example']);
  await writeFile(client.path('/tmp/ca.pem'), caPem);
  const day = await readFile(join(import.meta.dirname, 'day.yaml'), 'utf8');
  const path = await server.putManifest(
    `${day}---\n${JSON.stringify(secret)}\n---\n${await readFile(manifest('claims'), 'utf8')}`,
  );
  await seen('every kind is known', async () => (await server.tryKubectl('apply', '-f', path)).code === 0);
  const isPods = (text: string) => /^web-\S+\n$/.test(text);
  const overTls = `--cacert /tmp/ca.pem --resolve tls.example:443:${address}`;
  await Promise.all([
    seen('kubectl top', async () => /^s1\s+\d+m/m.test((await server.tryKubectl('top', 'nodes')).stdout)),
    seen('a LoadBalancer Service', async () => isPods(await fromOutside('', `http://${address}:8080`))),
    seen('an Ingress with TLS', async () => isPods(await fromOutside(overTls, 'https://tls.example'))),
    seen('an HTTPRoute', async () => isPods(await fromOutside('-H "Host: route.example"', `http://${address}`))),
    seen('an IngressRoute', async () => isPods(await fromOutside('-H "Host: own.example"', `http://${address}`))),
    seen('three claims', async () => (await podsOf(server, 'app=db')).filter(isReady).length === 3),
    seen('a HelmChart', async () => (await wordOfChart()) === 'first'),
  ]);
  expect((await podsOf(server, 'app=web')).filter(isReady)).toHaveLength(2);
}, 300_000);

test('a HelmChartConfig gives Traefik another port; a value that it does not take is refused by name', async () => {
  const config = (valuesContent: string) =>
    server.apply(
      JSON.stringify({
        apiVersion: 'helm.cattle.io/v1',
        kind: 'HelmChartConfig',
        metadata: { name: 'traefik', namespace: 'kube-system' },
        spec: { valuesContent },
      }) + '\n',
    );
  await config('ports: {web: {exposedPort: 8088}}');
  const route = async () => await fromOutside('-H "Host: route.example"', `http://${server.host.address}:8088`);
  await eventually(async () => (await route()).startsWith('web-'), { withinMs: 60_000, what: 'port 8088' });
  await config('dashboard: {enabled: true}');
  const events = ['get', 'events', '-n', 'kube-system', '--field-selector', 'reason=ValuesRefused'] as const;
  const said = async () => await server.kubectl(...events, '-o', 'jsonpath={.items[*].message}');
  await eventually(async () => (await said()).startsWith('the value dashboard for traefik: '), { what: 'the event' });
  expect(await route()).toMatch(/^web-/);
});

const isReady = ({ status }: Awaited<ReturnType<typeof podsOf>>[number]) =>
  status.containerStatuses?.every(({ ready }) => ready) ?? false;
const wordOfChart = async () =>
  (await server.tryKubectl('get', 'configmap', 'toy-word', '-o', 'jsonpath={.data.word}')).stdout;

test('policies hold: a friend gets in, nobody else does, and nothing gets out', async () => {
  await server.kubectl('wait', 'pod/guarded', 'pod/friend', 'pod/stranger', '--for=condition=Ready', '--timeout=60s');
  const address = await server.kubectl('get', 'pod', 'guarded', '-o', 'jsonpath={.status.podIP}');
  const ask = (pod: string, what: string) =>
    server.tryKubectl('exec', pod, '--', 'wget', '-q', '-T', '3', '-O', '-', `http://${what}`);
  expect(await ask('friend', address)).toMatchObject({ code: 0, stdout: 'guarded\n' });
  expect((await ask('stranger', address)).code).not.toBe(0);
  expect((await ask('guarded', 'web.default:8080')).code).not.toBe(0);
  expect((await ask('stranger', 'web.default:8080')).code).toBe(0);
});

test('a StatefulSet whose pods are killed has its data', async () => {
  for (const pod of ['db-0', 'db-1', 'db-2'])
    await server.kubectl('exec', pod, '--', 'sh', '-c', `echo ${pod} >/data/name`);
  await server.kubectl('delete', 'pod', '-l', 'app=db', '--force', '--grace-period=0');
  await server.kubectl('rollout', 'status', 'statefulset/db', '--timeout=90s');
  for (const pod of ['db-0', 'db-1', 'db-2'])
    expect(await server.kubectl('exec', pod, '--', 'cat', '/data/name')).toBe(`${pod}\n`);
});

test('a HelmChart is upgraded and removed', async () => {
  await server.kubectl('patch', 'helmchart', 'toy', '--type=merge', '-p', '{"spec":{"valuesContent":"word: second"}}');
  await eventually(async () => (await wordOfChart()) === 'second', { withinMs: 60_000, what: 'the upgrade' });
  expect(await releasesOf(server, 'default')).toMatchObject([{ name: 'toy', revision: '2', status: 'deployed' }]);
  await server.kubectl('delete', 'helmchart', 'toy', '--timeout=60s');
  expect(await wordOfChart()).toBe('');
  expect(await helm(server, 'ls', '-q')).toBe('');
});

test('an autoscaler follows the load up and down', { timeout: 360_000 }, async () => {
  expect(await followsTheLoad(server)).toEqual(['2', '1']);
});
