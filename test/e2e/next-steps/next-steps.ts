/** What a message says to do next is done, on a box that meets one trouble after another until it has joined. */
import { beforeAll, expect, test } from 'vitest';
import type { Box, Nodes } from '../../helpers/cluster.ts';
import { untilNode } from '../../helpers/nodes.ts';
import { eventually } from '../../helpers/wait.ts';
import { theCluster } from '../server-and-agent.ts';

let nodes: Nodes;
let server: Box;
let box: Box;
beforeAll(async () => {
  nodes = theCluster();
  server = nodes.server;
  box = await nodes.addBox('a2', 22);
});

/** The sentence of a command that fails. */
async function refusal(on: Box, ...args: readonly string[]): Promise<string> {
  const { code, stderr } = await on.kagent(args, { timeoutMs: 60_000 });
  expect(code).not.toBe(0);
  return stderr;
}
const works = async (on: Box, ...args: readonly string[]) => {
  const { code, stdout, stderr } = await on.kagent(args, { timeoutMs: 60_000 });
  expect([code, stderr]).toEqual([0, expect.anything()]);
  return stdout;
};

test('nothing runs: the status says how to start it', async () => {
  expect(await refusal(box, 'status')).toContain("start one with 'kagent server'");
});

test('a key that is none: the nearest one, put in its place, is sound', async () => {
  await box.sh('mkdir -p /etc/kagent && echo "node-nam: a2" >/etc/kagent/config.yaml');
  expect(await refusal(box, 'config', 'validate')).toMatch(/line 1: .*'node-nam'; did you mean 'node-name'\?/);
  await box.sh('echo "node-name: a2" >/etc/kagent/config.yaml');
  expect(await works(box, 'config', 'validate')).toContain('is sound');
});

test('no address, no token: the server prints the line', async () => {
  expect(await refusal(box, 'agent')).toContain("'kagent token join-command --installed'");
  expect(await works(server, 'token', 'join-command', '--installed')).toMatch(/^kagent agent --url https:/);
});

test('a token that is none: the list has those there are', async () => {
  expect(await refusal(server, 'token', 'delete', 'abcdef')).toContain("'kagent token list'");
  expect(await works(server, 'token', 'list')).toContain('server');
});

test('a port that is taken, a token that the server does not know, a setting that is not the cluster’s: each told in turn', async () => {
  const holder = box.run(['python3', '-m', 'http.server', '10250']);
  await eventually(() => box.sh('curl -sf http://127.0.0.1:10250/'));
  const token = (await nodes.token()).replace(/::.*/, '::node:nobodyknowsthis');
  const unknown = ['agent', '--url', nodes.url, '--token', token, '--cluster-domain', 'other.local'];
  const told = await refusal(box, ...unknown);
  const pid = /port 10250 \(kubelet\) is taken by .*pid (\d+)/.exec(told)?.[1];
  const gone = holder.exited;
  await box.signal(Number(pid), 'KILL'); // which is what it says to do
  await gone;
  expect(await refusal(box, ...unknown)).toContain('copy it anew from server/node-token');
  const flags = await nodes.joinFlags();
  expect(await refusal(box, 'agent', ...flags, '--cluster-domain', 'other.local')).toContain('leave it out');
  await box.startAgent(...flags);
  await untilNode(nodes, 'a2', { status: 'Ready', connected: true });
});

test('a second kagent on the box: what shows the first, shows it', async () => {
  expect(await refusal(box, 'agent', ...(await nodes.joinFlags()))).toContain("see it with 'kagent status'");
  await eventually(async () => (await box.status()).isReady, { withinMs: 60_000, what: 'all of the agent' });
  expect(await works(box, 'status')).toContain('kubelet');
});

test('a node that works is not removed: drained, it is', async () => {
  expect(await refusal(server, 'node', 'show', 'a9')).toContain("'kagent node ls'");
  expect(await refusal(server, 'node', 'rm', 'a2')).toContain("'kagent node drain a2'");
  await works(server, 'node', 'drain', 'a2');
  await works(server, 'node', 'rm', 'a2');
  expect(await box.running().exited).toBe(3);
  expect(box.running().output()).toContain("'kagent agent --url … --token …' joins it anew");
  await box.startAgent(...(await nodes.joinFlags()));
  await untilNode(nodes, 'a2', { status: 'Ready', connected: true });
});
