/**
 * A cluster of an earlier version becomes one of this version, box by box, the server first: `KAGENT_EARLIER` is the earlier
 * executable. For releases, since it needs a build of another commit.
 */
import { copyFile, rename } from 'node:fs/promises';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createNodes } from '../helpers/cluster.ts';
import type { Box, Nodes } from '../helpers/cluster.ts';
import { webOnEachNode } from '../helpers/manifests.ts';
import { listNodes, podsOf, untilNode } from '../helpers/nodes.ts';

const now = resolve(import.meta.dirname, '../../dist/kagent');
let nodes: Nodes;
let a1: Box;
let token: string;
let before: readonly (readonly [string, number | undefined])[];

beforeAll(async () => {
  if (!process.env['KAGENT_E2E_EXECUTABLE'])
    throw new Error('KAGENT_EARLIER names no executable: KAGENT_EARLIER=/path/to/kagent npm run test:upgrade');
  nodes = await createNodes('upgrade', { agents: 2, serverFlags: ['--cluster-cidr', '10.52.0.0/16'] });
  const [first] = nodes.agents;
  if (first === undefined) throw new Error('there are no agents');
  a1 = first;
  const { server } = nodes;
  await server.sh(`printf '%s' '${configMap}' >/var/lib/kagent/server/manifests/mine.yaml`);
  await server.apply(webOnEachNode.replaceAll('IMAGE', await busyboxOn(server)));
  await server.kubectl('rollout', 'status', 'daemonset/web', '--timeout=120s');
  await server.kubectl('wait', '--for=jsonpath={.data.id}=1', 'configmap/mine', '--timeout=60s');
  token = (await server.kagent(['token', 'create', '--ttl', '1h'])).stdout.trim();
  await server.kagent(['etcd-snapshot', 'save']);
  before = await pods();
}, 400_000);
afterAll(() => nodes?.wipe());

/** By its name there: of an earlier version's executable only that version can tell. */
async function busyboxOn(box: Box): Promise<string> {
  const { stdout } = await box.kagent(['crictl', 'images', '-o', 'json']);
  const { images } = JSON.parse(stdout) as { readonly images: readonly { readonly repoTags: readonly string[] }[] };
  const name = images.flatMap(({ repoTags }) => repoTags).find((tag) => tag.includes('busybox'));
  if (name === undefined) throw new Error(`there is no busybox among ${stdout}`);
  return name;
}

const configMap =
  '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"mine","namespace":"default"},"data":{"id":"1"}}';

/** Which pods there are, and how often their containers have been started again. */
async function pods() {
  const list = await podsOf(nodes.server, 'app=web');
  return list
    .map(({ metadata, status }) => [metadata.uid, status.containerStatuses?.[0]?.restartCount] as const)
    .toSorted(([one], [other]) => one.localeCompare(other));
}

async function upgrade(box: Box): Promise<void> {
  const running = box.running();
  await box.signal((await box.status()).pid, 'TERM');
  expect(await running.exited).toBe(0);
  await copyFile(now, box.path('/usr/local/bin/kagent.new'));
  await rename(box.path('/usr/local/bin/kagent.new'), box.path('/usr/local/bin/kagent'));
}

async function worksOn(names: readonly string[]): Promise<void> {
  for (const name of names) await untilNode(nodes, name, { status: 'Ready', connected: true }, 120_000);
  expect(await pods()).toEqual(expect.arrayContaining([...before]));
  const list = (await podsOf(nodes.server, 'app=web')).filter(({ metadata }) =>
    before.some(([uid]) => uid === metadata.uid),
  );
  for (const { metadata, status } of list) {
    expect(await nodes.server.kubectl('exec', metadata.name, '--', 'hostname')).toBe(`${metadata.name}\n`);
    expect((await nodes.server.sh(`curl -sf -m 5 http://${status.podIP}`)).trim()).toBe(metadata.name);
  }
}

test('the server continues with what the earlier one left, and its earlier agents with it', async () => {
  await upgrade(nodes.server);
  await nodes.server.startServer('--cluster-cidr', '10.52.0.0/16');
  await worksOn(['s1', 'a1', 'a2']);
  expect(await nodes.server.kubectl('get', 'configmap', 'mine', '-o', 'jsonpath={.data.id}')).toBe('1');
  expect((await nodes.server.kagent(['etcd-snapshot', 'ls'])).stdout).toContain('on-demand-');
});

test('an agent stays the node it was', async () => {
  await upgrade(a1);
  await a1.startAgent(...(await nodes.joinFlags()));
  await worksOn(['s1', 'a1', 'a2']);
  expect((await listNodes(nodes.server)).map(({ name }) => name).toSorted()).toEqual(['a1', 'a2', 's1']);
});

test('a box of this version joins with a token that the earlier server made', async () => {
  const a3 = await nodes.addBox('a3', 23);
  await copyFile(now, a3.path('/usr/local/bin/kagent'));
  await a3.startAgent('--url', nodes.url, '--token', token);
  await untilNode(nodes, 'a3', { status: 'Ready', connected: true });
  expect(await listNodes(nodes.server)).toContainEqual(expect.objectContaining({ name: 'a3', status: 'Ready' }));
});

test('a snapshot of the earlier version is restored by this one', async () => {
  const { server } = nodes;
  const path = (await server.sh('find /var/lib/kagent/server -path "*/snapshots/on-demand-*" | head -n 1')).trim();
  const running = server.running();
  await server.signal((await server.status()).pid, 'TERM');
  await running.exited;
  const { code, stdout, stderr } = await server.kagent(['etcd-snapshot', 'restore', path]);
  expect([code, `${stdout}${stderr}`]).toEqual([0, expect.anything()]);
  await server.startServer('--cluster-cidr', '10.52.0.0/16');
  await worksOn(['s1', 'a1', 'a2']);
});

test('what the earlier version has changed on a box, this one puts back as it goes', async () => {
  const [, a2] = nodes.agents;
  if (a2 === undefined) throw new Error('there is no second agent');
  const log = await a2.sh('cat /var/lib/kagent/journal.jsonl'); // of the earlier one, which still runs here
  const sysctls = [...log.matchAll(/"kind":"sysctl","name":"([^"]+)","before":"([^"]*)"/g)].map(([, name, value]) => [
    name,
    value,
  ]);
  expect(sysctls.length).toBeGreaterThan(0);
  await upgrade(a2);
  const { code, stderr } = await a2.kagent(['uninstall']);
  expect([code, stderr]).toEqual([0, '']);
  const now = await Promise.all(
    sysctls.map(async ([name, value]) => [name, value, (await a2.sh(`cat /proc/sys/${name}`)).trim()]),
  );
  expect(now.filter(([, before, value]) => value !== before?.replaceAll('\\t', '\t'))).toEqual([]);
  expect(await a2.sh('ls -A /var/lib/kagent; ls -d /etc/kagent 2>/dev/null || true')).toBe('');
});
