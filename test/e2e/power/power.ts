/** Boxes lose their power and boot again; a server loses its disk. Nobody touches the agents. */
import { beforeAll, expect, test } from 'vitest';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { podsOf, sessionsOf, untilNode } from '../../helpers/nodes.ts';
import { podProcessesOf } from '../../helpers/processes.ts';
import { webOnEachNode } from '../../helpers/manifests.ts';
import { eventually } from '../../helpers/wait.ts';
import { serverFlags, theCluster } from '../three-hosts.ts';

let nodes: Nodes;
let a1: Box;

beforeAll(async () => {
  nodes = theCluster();
  ({ a1 } = theCluster());
  for (const name of ['s1', 'a1', 'a2']) await untilNode(nodes, name, { connected: true, status: 'Ready' });
  const isFree = async () => (await podsOf(nodes.server, 'app=web')).length === 0;
  await eventually(isFree, { withinMs: 60_000, what: 'an end of other pods with its label' });
  await nodes.server.apply(webOnEachNode);
  await kubectl('rollout', 'status', 'daemonset/web', '--timeout=90s');
});

const kubectl = (...args: readonly string[]) => nodes.server.kubectl(...args);

/** The pods on each node, by their uid: a pod that was made anew would have another. */
async function uidsByNode(): Promise<Readonly<Record<string, string>>> {
  const pods = await podsOf(nodes.server, 'app=web');
  return Object.fromEntries(pods.map(({ spec, metadata }) => [spec.nodeName, metadata.uid]));
}

/** Every pod answers, asked from every host. */
async function allAnswer(): Promise<void> {
  const isSo = async () => {
    for (const { metadata, status } of await podsOf(nodes.server, 'app=web')) {
      for (const box of [nodes.server, ...nodes.agents]) {
        const answer = await box.sh(`curl -sf -m 2 http://${status.podIP} || true`);
        if (answer.trim() !== metadata.name) return false;
      }
    }
    return true;
  };
  await eventually(isSo, { withinMs: 90_000, what: 'an answer of every pod on every host' });
}

test('an agent that lost its power boots as the node it was, with its pods', async () => {
  const before = { uids: await uidsByNode(), sessions: await sessionsOf(nodes.server) };
  await a1.host.off();
  await untilNode(nodes, 'a1', { connected: false });
  await a1.host.up();
  await a1.startAgent(...(await nodes.joinFlags()));
  await untilNode(nodes, 'a1', { connected: true, status: 'Ready' });
  expect((await sessionsOf(nodes.server))['a1']).toBe((before.sessions['a1'] ?? 0) + 1);
  await allAnswer();
  expect(await uidsByNode()).toEqual(before.uids);
});

test('a server that lost its power boots; agents connect again, and their pods have not noticed', async () => {
  const before = { uids: await uidsByNode(), processes: podProcessesOf(a1) };
  await nodes.server.host.off();
  await nodes.server.host.up();
  await nodes.server.startServer(...serverFlags);
  for (const name of ['s1', 'a1', 'a2']) await untilNode(nodes, name, { connected: true, status: 'Ready' });
  await allAnswer();
  expect(await uidsByNode()).toEqual(before.uids);
  expect(podProcessesOf(a1)).toEqual(before.processes);
});

test('a server whose disk was lost and restored from a copy has all its agents, also one that joined after the copy', async () => {
  const { server } = nodes;
  const { host } = server;
  await host.off();
  await server.copyDisk();
  await host.up();
  await server.startServer(...serverFlags);
  const late = await nodes.addBox('a3', 23);
  await late.startAgent(...(await nodes.joinFlags()));
  const before = podProcessesOf(a1);
  await host.off();
  await server.restoreDisk();
  await host.up();
  await server.startServer(...serverFlags);
  for (const name of ['s1', 'a1', 'a2', 'a3'])
    await untilNode(nodes, name, { connected: true, status: 'Ready' }, 90_000);
  await kubectl('rollout', 'status', 'daemonset/web', '--timeout=90s');
  expect(podProcessesOf(a1)).toEqual(before);
});
