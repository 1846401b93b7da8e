/**
 * What a k3s user tries on the first day: all of it at once, on a new cluster that reaches nothing, seen from another host. What
 * each of these can besides is in the stories of the workloads, of the nodes and of Helm.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { busyboxImage } from '../../helpers/cluster.ts';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { podsOf } from '../../helpers/nodes.ts';
import { eventually } from '../../helpers/wait.ts';
import { helm, packToy, releasesOf, serveCharts } from '../helm/toy.ts';
import { followsTheLoad } from '../nodes/metrics.ts';
import { tlsSecret } from '../nodes/tls-secret.ts';
import { manifest } from '../workloads/manifests.ts';

export interface NewCluster extends Nodes {
  /** As of `performance.now`: every node was Ready. */
  readonly readyAtMs: number;
}

const staticDir = '/var/lib/kagent/server/static/charts';
const charts = ['from-archive', 'from-registry'] as const;
const pods = ['db-0', 'db-1', 'db-2'] as const;
/** After every node is Ready. */
const allWithinMs = 60_000;

/** On a server alone, or with agents: what is said of a node is said of each. */
export function firstDay(theCluster: () => NewCluster): void {
  let server: Box;
  let client: Box;
  let day: string;

  const all = () => [server, ...theCluster().agents];
  const addresses = () => all().map(({ host }) => host.address);
  const kubectl = (...args: readonly string[]) => server.kubectl(...args);
  const fromOutside = async (flags: string, url: string): Promise<string> =>
    (await client.host.exec(['sh', '-c', `curl -s -m 5 ${flags} ${url}`])).stdout;
  const wordOf = async (chart: string) =>
    (await server.tryKubectl('get', 'configmap', `${chart}-word`, '-o', 'jsonpath={.data.word}')).stdout;
  const haveWord = async (word: string) =>
    (await Promise.all(charts.map((chart) => wordOf(chart)))).every((one) => one === word);

  /** Waits for what a person sees, and says how long after Ready it was. */
  async function seen(what: string, look: () => Promise<boolean>): Promise<void> {
    await eventually(look, { withinMs: allWithinMs, everyMs: 200, what });
    console.log(`${what}: ${((performance.now() - theCluster().readyAtMs) / 1000).toFixed(1)} s after Ready`);
  }

  /** A Service, or a route to it, answers at the address of each node. */
  async function answers(what: string, ask: (address: string) => Promise<string>): Promise<void> {
    for (const address of addresses())
      await seen(`${what} at ${address}`, async () => /^web-\S+\n$/.test(await ask(address)));
  }

  beforeAll(async () => {
    const nodes = theCluster();
    ({ server } = nodes);
    client = await nodes.addBox('client', 71);
    const image = await busyboxImage();
    const [archive, newer] = [await packToy(server, '1.0.0', image), await packToy(server, '2.0.0', image)];
    await server.sh(`mkdir -p ${staticDir}; cp ${archive} ${newer} ${staticDir}`);
    const registry = `${client.host.address}:5000`;
    await serveCharts(client, registry);
    for (const one of [archive, newer]) await helm(server, 'push', one, `oci://${registry}/charts`, '--plain-http');
    const text = await readFile(join(import.meta.dirname, 'day.yaml'), 'utf8');
    day = `${text.replaceAll('REGISTRY', registry)}---\n${await readFile(manifest('claims'), 'utf8')}`;
  });

  test('all of it is applied at once, and answers within a minute', async () => {
    const { caPem, secret } = await tlsSecret('web-tls', ['tls.example']);
    await writeFile(client.path('/tmp/ca.pem'), caPem);
    const path = await server.putManifest(`${day}---\n${JSON.stringify(secret)}\n`);
    const began = performance.now();
    await seen('every kind is known', async () => (await server.tryKubectl('apply', '-f', path)).code === 0);
    const byName = (host: string) => (address: string) => fromOutside(`-H "Host: ${host}"`, `http://${address}`);
    const overTls = (address: string) =>
      fromOutside(`--cacert /tmp/ca.pem --resolve tls.example:443:${address}`, 'https://tls.example');
    await Promise.all([
      ...all().map(({ host: { name } }) =>
        seen(`kubectl top of ${name}`, async () =>
          new RegExp(`^${name}\\s+\\d+m`, 'm').test((await server.tryKubectl('top', 'nodes')).stdout),
        ),
      ),
      answers('a LoadBalancer Service', (address) => fromOutside('', `http://${address}:8080`)),
      answers('an Ingress with TLS', overTls),
      answers('an HTTPRoute', byName('route.example')),
      answers('an IngressRoute', byName('own.example')),
      seen('three claims', async () => (await podsOf(server, 'app=db')).filter(isReady).length === 3),
      seen('two HelmCharts', () => haveWord('first')),
    ]);
    expect(performance.now() - began).toBeLessThan(allWithinMs);
    expect((await podsOf(server, 'app=web')).filter(isReady)).toHaveLength(2);
  }, 300_000);

  // Much of their time they wait.
  describe.concurrent('then', () => {
    test('policies hold on and between all nodes: a friend gets in, nobody else does, and nothing gets out', async () => {
      const inGuarded = ['-n', 'guarded'] as const;
      for (const name of ['friend', 'stranger'])
        await kubectl('rollout', 'status', ...inGuarded, `daemonset/${name}`, '--timeout=60s');
      await kubectl('wait', ...inGuarded, 'pod/web', '--for=condition=Ready', '--timeout=60s');
      const address = await kubectl('get', ...inGuarded, 'pod', 'web', '-o', 'jsonpath={.status.podIP}');
      const ask = (pod: string, what: string) =>
        server.tryKubectl('exec', ...inGuarded, pod, '--', 'timeout', '3', 'wget', '-q', '-O', '-', `http://${what}`);
      const ofRole = async (role: string) =>
        (await kubectl('get', ...inGuarded, 'pods', '-l', `role=${role}`, '-o', 'name')).trim().split('\n');
      const [friends, strangers] = [await ofRole('friend'), await ofRole('stranger')];
      expect([friends.length, strangers.length]).toEqual([all().length, all().length]);
      for (const pod of friends) expect(await ask(pod, address)).toMatchObject({ code: 0, stdout: 'guarded\n' });
      for (const pod of strangers) {
        expect((await ask(pod, address)).code).not.toBe(0);
        expect((await ask(pod, 'web.default:8080')).code).toBe(0);
      }
      expect((await ask('web', 'web.default:8080')).code).not.toBe(0);
    }, 180_000);

    test('a StatefulSet whose pods are killed has its data, each on its node', async () => {
      for (const pod of pods) await kubectl('exec', pod, '--', 'sh', '-c', `echo ${pod} >/data/name`);
      const places = async () =>
        Object.fromEntries(
          (await podsOf(server, 'app=db')).map(({ metadata, spec }) => [metadata.name, spec.nodeName]),
        );
      const before = await places();
      expect(new Set(Object.values(before)).size).toBe(all().length);
      await kubectl('delete', 'pod', '-l', 'app=db', '--force', '--grace-period=0');
      await kubectl('rollout', 'status', 'statefulset/db', '--timeout=90s');
      for (const pod of pods) expect(await kubectl('exec', pod, '--', 'cat', '/data/name')).toBe(`${pod}\n`);
      expect(await places()).toEqual(before);
    }, 180_000);

    test('HelmCharts are upgraded and removed', async () => {
      const patch = (chart: string, spec: object) =>
        kubectl('patch', 'helmchart', chart, '--type=merge', '-p', JSON.stringify({ spec }));
      const archive = 'https://%{KUBERNETES_API}%/static/charts/toy-2.0.0.tgz';
      await patch('from-archive', { chart: archive, valuesContent: 'word: second' });
      await patch('from-registry', { version: '2.0.0', valuesContent: 'word: second' });
      const upgraded = charts.map((name) => ({ name, revision: '2', status: 'deployed', chart: 'toy-2.0.0' }));
      const isUpgraded = async () =>
        (await releasesOf(server, 'default')).filter(({ status }) => status === 'deployed').length === 2 &&
        (await haveWord('second'));
      await eventually(isUpgraded, { withinMs: 60_000, everyMs: 200, what: 'the upgrades' });
      expect(await releasesOf(server, 'default')).toMatchObject(upgraded);
      await kubectl('delete', 'helmchart', ...charts, '--timeout=60s');
      expect(await haveWord('')).toBe(true);
      expect(await helm(server, 'ls', '-q')).toBe('');
    }, 180_000);

    test('an autoscaler follows the load up and down', { timeout: 360_000 }, async () => {
      expect(await followsTheLoad(server)).toEqual(['2', '1']);
    });
  });

  test('what was applied goes as it came, and volumes leave nothing on any node', async () => {
    await kubectl('delete', '-f', await server.putManifest(day), '--ignore-not-found', '--timeout=120s');
    await kubectl('delete', 'secret', 'web-tls');
    await kubectl('delete', 'pvc', '-l', 'app=db', '--timeout=60s');
    await eventually(async () => (await kubectl('get', 'pv', '-o', 'name')) === '', { what: 'the end of the volumes' });
    for (const box of all()) expect(await box.sh('ls /var/lib/kagent/storage 2>/dev/null || true')).toBe('');
  }, 240_000);
}

const isReady = ({ status }: Awaited<ReturnType<typeof podsOf>>[number]) =>
  status.containerStatuses?.every(({ ready }) => ready) ?? false;
