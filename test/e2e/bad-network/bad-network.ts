/** What a cluster of three hosts bears: a cable out, a host that hangs, a line that loses packets, another address. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { webDeployment, webPod } from '../../helpers/manifests.ts';
import { listNodes, podsOf, sessionsOf, untilNode } from '../../helpers/nodes.ts';
import { eventually } from '../../helpers/wait.ts';
import { theCluster } from '../three-hosts.ts';

let nodes: Nodes;
let a1: Box;
let a2: Box;

beforeAll(async () => {
  nodes = theCluster();
  ({ a1, a2 } = theCluster());
  await nodes.server.apply(web);
  await kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
});
afterAll(async () => {
  if (nodes === undefined) return;
  await a1.host.plug();
  await a1.host.thaw();
  await a2.host.loss(0);
  await kubectl('delete', 'deployment/web', 'pod/stays', '--ignore-not-found');
});

const kubectl = (...args: readonly string[]) => nodes.server.kubectl(...args);

const givenUpWithin = (seconds: number) =>
  ['unreachable', 'not-ready'].map((condition) => ({
    key: `node.kubernetes.io/${condition}`,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: seconds,
  }));
const isAgent = { key: 'node-role.kubernetes.io/control-plane', operator: 'DoesNotExist' };

/** Four pods on the two agents, which leave a node a moment after it was given up. */
const web = webDeployment(4, {
  pod: {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [isAgent] }] },
      },
    },
    tolerations: givenUpWithin(2),
  },
});

/** A pod of a2, whatever is thought of that node. */
const stays = webPod('stays', { pod: { nodeName: 'a2', tolerations: [{ operator: 'Exists' }] } });

const isStaying = (pod: { readonly metadata: { readonly deletionTimestamp?: string } }) =>
  pod.metadata.deletionTimestamp === undefined;

test('a cable out: the node is given up and its pods move; cable in: it is back, and nothing runs twice', async () => {
  await a1.host.unplug();
  await untilNode(nodes, 'a1', { connected: false }, 30_000);
  await untilNode(nodes, 'a1', { status: 'NotReady' }, 60_000);
  const moved = async () => {
    const pods = (await podsOf(nodes.server, 'app=web')).filter(isStaying);
    return pods.length === 4 && pods.every(({ spec, status }) => spec.nodeName === 'a2' && status.phase === 'Running');
  };
  await eventually(moved, { withinMs: 90_000, what: 'four pods on a2' });
  const connected = () =>
    kubectl('get', 'node', 'a1', '-o', 'jsonpath={.status.conditions[?(@.type=="kagent.sh/Connected")].status}');
  await eventually(async () => (await connected()) === 'False', { withinMs: 30_000, what: 'the condition' });

  await a1.host.plug();
  await untilNode(nodes, 'a1', { connected: true, status: 'Ready' });
  await eventually(async () => (await podsOf(nodes.server, 'app=web')).length === 4, {
    withinMs: 60_000,
    what: 'four pods',
  });
  const containers = async () => (await a1.sh('kagent crictl ps -q --name "^web$"')).trim();
  await eventually(async () => (await containers()) === '', {
    withinMs: 60_000,
    what: 'no container of a pod that moved',
  });
  expect((await podsOf(nodes.server, 'app=web')).every(({ spec }) => spec.nodeName === 'a2')).toBe(true);
});

test('events tell of it', async () => {
  const ofA1 = ['--field-selector', 'involvedObject.name=a1', '-o', 'jsonpath={.items[*].reason}'];
  const wanted = ['NoHeartbeats', 'HeartbeatsArrive', 'NodeNotReady'];
  const isTold = async () => {
    const reasons = (await kubectl('get', 'events', ...ofA1)).split(' ');
    return wanted.every((reason) => reasons.includes(reason)) && reasons;
  };
  expect(await eventually(isTold, { withinMs: 30_000, what: 'the events' })).toEqual(expect.arrayContaining(wanted));
});

/** How long after it was given up; the longer run, of which docs/testing.md tells: `KAGENT_FROZEN_SECONDS=60`. */
const frozenSeconds = Number(process.env['KAGENT_FROZEN_SECONDS'] ?? 5);

test('a host that hangs until its node is given up, and longer, is afterwards the node it was', async () => {
  const before = await sessionsOf(nodes.server);
  await a1.host.freeze();
  await untilNode(nodes, 'a1', { connected: false, status: 'NotReady' });
  await delay(frozenSeconds * 1000);
  await a1.host.thaw();
  await untilNode(nodes, 'a1', { connected: true, status: 'Ready' });
  const after = await sessionsOf(nodes.server);
  expect(after['a1']).toBe((before['a1'] ?? 0) + 1);
  expect(after['a2']).toBe(before['a2']);
  const { components } = await a1.status();
  expect(components.filter(({ condition }) => condition.status !== 'True').map(({ name }) => name)).toEqual([]);
});

const lossyTries = 12;

test('with three of ten packets lost nothing hangs, and most of a dozen commands in a pod still work', async () => {
  await a2.host.loss(30);
  const [pod] = await podsOf(nodes.server, 'app=web');
  const args = ['exec', pod?.metadata.name ?? '', '--request-timeout=20s', '--', 'true'];
  // At once: each has connections of its own, and they wait most of the time.
  const tries = Array.from({ length: lossyTries }, () => nodes.server.tryKubectl(...args));
  const good = (await Promise.all(tries)).filter(({ code }) => code === 0);
  await a2.host.loss(0);
  expect(good.length).toBeGreaterThan(lossyTries / 2);
  await untilNode(nodes, 'a2', { connected: true, status: 'Ready' });
});

test('a node that gets another address says so, and its pods are reached by way of it', async () => {
  const server = nodes.server;
  // One that stays while its node is silent for a moment, as the four of the Deployment do not.
  await server.apply(stays);
  await kubectl('wait', 'pod/stays', '--for=condition=Ready', '--timeout=60s');
  const [address, gateway] = ['42', '1'].map((last) => a2.host.address.replace(/\d+$/, last));
  const change = [
    `ip addr del ${a2.host.address}/24 dev eth0`,
    `ip addr add ${address}/24 dev eth0`,
    `ip route replace default via ${gateway}`,
  ];
  await a2.sh(change.join(' && '));
  const internalIp = () =>
    kubectl('get', 'node', 'a2', '-o', 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}');
  await eventually(async () => (await internalIp()) === address, { withinMs: 60_000, what: 'the new address' });
  await untilNode(nodes, 'a2', { connected: true, status: 'Ready' });
  const announced = () =>
    kubectl('get', 'node', 'a2', '-o', 'jsonpath={.metadata.annotations.flannel\\.alpha\\.coreos\\.com/public-ip}');
  await eventually(async () => (await announced()) === address, { withinMs: 60_000, what: "flannel's address" });
  const podIp = await kubectl('get', 'pod', 'stays', '-o', 'jsonpath={.status.podIP}');
  for (const box of [server, a1]) {
    const answer = async () => (await box.sh(`curl -sf -m 3 http://${podIp} || true`)).trim() === 'stays';
    await eventually(answer, { withinMs: 60_000, what: `an answer of a pod of a2 on ${box.host.name}` });
  }
  expect(await kubectl('exec', 'stays', '--', 'hostname')).toBe('stays\n');
  // The kubelet that announces the new address is another one than the one before: its node may be NotReady for a moment.
  const areReady = async () => (await listNodes(server)).every(({ status }) => status === 'Ready');
  await eventually(areReady, { withinMs: 60_000, what: 'every node Ready' });
});
