/** `kagent stop`, with and without moving the pods away first; on an agent and on a server. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createNodes } from '../../helpers/cluster.ts';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { webDeployment } from '../../helpers/manifests.ts';
import { podsOf, untilNode } from '../../helpers/nodes.ts';
import { podProcessesOf, processesOf } from '../../helpers/processes.ts';
import { eventually } from '../../helpers/wait.ts';

let nodes: Nodes;
let server: Box;
let agent: Box;

beforeAll(async () => {
  nodes = await createNodes('drain', { agents: 1 });
  [server, agent] = [nodes.server, nodes.agents[0] as Box];
  const scratch = { volumes: [{ name: 'scratch', emptyDir: {} }] };
  const container = { volumeMounts: [{ name: 'scratch', mountPath: '/mnt' }] };
  await server.apply(webDeployment(4, { pod: scratch, container }));
  await server.apply(join(import.meta.dirname, 'others.yaml'));
  await server.kubectl('rollout', 'status', 'deployment/web', 'daemonset/everywhere', '--timeout=60s');
  await server.kubectl('wait', 'pod', 'alone', '--for=condition=Ready', '--timeout=60s');
});
afterAll(() => nodes?.wipe());

/** Of the pods with this label, how many are on each node. */
async function placesOf(label: string): Promise<Readonly<Record<string, number>>> {
  const places: Record<string, number> = {};
  for (const { spec, metadata } of await podsOf(server, label)) {
    if (metadata.deletionTimestamp === undefined) places[spec.nodeName] = (places[spec.nodeName] ?? 0) + 1;
  }
  return places;
}

const unschedulable = (name: string) =>
  server.kubectl(
    'get',
    'node',
    name,
    '-o',
    'jsonpath={.spec.unschedulable}{.metadata.annotations.kagent\\.sh/stopped-run}',
  );
const startAgain = async () => void (await agent.startAgent(...(await nodes.joinFlags())));

test('kagent stop ends kagent with all its children; the pods keep running, and a second time it is no failure', async () => {
  const pods = podProcessesOf(agent);
  expect(await agent.kagent(['stop'])).toMatchObject({ code: 0 });
  expect(await agent.running().exited).toBe(0);
  expect(podProcessesOf(agent)).toEqual(pods);
  const rest = processesOf(agent).filter((process) => !process.isPods);
  expect(new Set(rest.map(({ name }) => name))).toEqual(new Set(['containerd-shim-runc-v2']));
  expect(await agent.kagent(['stop'])).toMatchObject({ code: 0 });
  await startAgain();
});

test('a budget that allows no disruption keeps kagent running, and the node takes pods again', async () => {
  await server.kubectl('patch', 'pdb', 'web', '-p', '{"spec":{"maxUnavailable":0}}');
  await eventually(
    async () => (await server.kubectl('get', 'pdb', 'web', '-o', 'jsonpath={.status.disruptionsAllowed}')) === '0',
    { what: 'the budget' },
  );
  const refused = await agent.kagent(['stop', '--drain', '--timeout', '3s']);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(
    /after 3 s \d pods are still here; kagent keeps running.*\n  default\/web-\S+: .*disruption budget/,
  );
  expect((await agent.status()).isStarted).toBe(true);
  expect(await unschedulable('a1')).toBe('');
});

test('who gives up waiting for it leaves a node that takes pods', async () => {
  const draining = agent.run(['kagent', 'stop', '--drain', '--timeout', '60s']);
  await eventually(async () => (await unschedulable('a1')).startsWith('true'), { what: 'a cordoned node' });
  const waiting = processesOf(agent).find(({ commandLine }) => commandLine.endsWith('stop --drain --timeout 60s'));
  await agent.signal(waiting?.pid ?? 0, 'TERM');
  await draining.exited;
  await eventually(async () => (await unschedulable('a1')) === '', { what: 'an open node' });
  expect((await agent.status()).isStarted).toBe(true);
  await server.kubectl('patch', 'pdb', 'web', '-p', '{"spec":{"maxUnavailable":1}}');
});

test('an agent that is stopped with --drain has its pods on other nodes first, and takes pods again when it starts', async () => {
  const stopped = await agent.kagent(['stop', '--drain', '--timeout', '60s']);
  expect(stopped).toMatchObject({ code: 0 });
  expect(stopped.stdout).toMatch(/\d pods moved away/);
  expect(stopped.stdout).toContain('stays: default/alone: no controller would recreate it elsewhere');
  expect(await agent.running().exited).toBe(0);
  expect(await placesOf('app=web')).toEqual({ s1: 4 });
  expect(await placesOf('app=alone')).toEqual({ a1: 1 });
  expect(await unschedulable('a1')).toMatch(/^true./);
  expect(await agent.kagent(['killall'])).toMatchObject({ code: 0 });
  expect(processesOf(agent)).toEqual([]);
  await startAgain();
  await eventually(async () => (await unschedulable('a1')) === '', { withinMs: 30_000, what: 'an open node' });
});

test('after killall, neighbours of the box still do not reach its 127.0.0.1', async () => {
  const neighbour = await nodes.addBox('n1', 31);
  // A box of the attacker's own, which sends packets for a loopback address out of its card.
  await neighbour.sh(`echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
ip rule add pref 2 lookup local && ip rule del pref 0
ip rule add pref 1 to 127.0.0.77 lookup 77 && ip route add 127.0.0.77 via ${agent.host.address} table 77`);
  const serve =
    'use IO::Socket::INET; open my $f, ">", "/run/listener.pid"; print $f $$; close $f; our $s = IO::Socket::INET->new(LocalAddr => "127.0.0.77", LocalPort => 8099, Listen => 5) or die; ' +
    'while (my $c = $s->accept) { print $c "open"; close $c }';
  const reached = async () => (await neighbour.host.exec(['curl', '-s', '-m', '2', 'telnet://127.0.0.77:8099'])).stdout;
  const localnet = '/proc/sys/net/ipv4/conf/all/route_localnet';

  const whileItRuns = agent.run(['perl', '-e', serve]);
  expect(await agent.sh(`cat ${localnet}`)).toBe('1\n');
  expect(await reached()).toBe('');
  expect(await agent.kagent(['killall'])).toMatchObject({ code: 0 });
  expect(await agent.sh(`cat ${localnet}`)).toBe('0\n');
  expect(await reached()).toBe('');
  await agent.sh(`echo 1 >${localnet}`);
  expect(await reached()).toBe('open'); // the attack works where it is let
  await agent.sh(`echo 0 >${localnet}; kill $(cat /run/listener.pid); rm /run/listener.pid`);
  await whileItRuns.exited;
  await startAgain();
  await untilNode(nodes, 'a1', { connected: true, status: 'Ready' });
});

test('a node that somebody had cordoned is still cordoned after a stop and a start', async () => {
  await server.kubectl('cordon', 'a1');
  expect(await agent.kagent(['stop', '--drain', '--timeout', '60s'])).toMatchObject({ code: 0 });
  await startAgain();
  await untilNode(nodes, 'a1', { connected: true, status: 'Ready' });
  expect(await unschedulable('a1')).toBe('true');
  await server.kubectl('uncordon', 'a1');
});

test('a server moves the pods of its own node to the others, and opens its node when it starts', async () => {
  const stopped = await server.kagent(['stop', '--drain', '--timeout', '100s']);
  expect(stopped).toMatchObject({ code: 0 });
  expect(await server.running().exited).toBe(0);
  await server.startServer();
  expect(await placesOf('app=web')).toEqual({ a1: 4 });
  await eventually(async () => (await unschedulable('s1')) === '', { withinMs: 30_000, what: 'an open node' });
});
