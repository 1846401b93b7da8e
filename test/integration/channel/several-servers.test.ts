/** An agent of a cluster of several servers: each of them reaches it by itself. */
import { expect, test } from 'vitest';
import { agentChannel, channelServer } from '../../helpers/channel-server.ts';
import { memoryKeyValue } from '../../helpers/key-value.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';

const apiserverUrl = 'https://10.0.0.9:6443';

/** Two servers of one cluster; at first neither knows of the other. */
async function twoServers() {
  const shared = { dir: temporaryDir(), store: memoryKeyValue() };
  const s1 = await channelServer({ ...shared, name: 's1' });
  const s2 = await channelServer({ ...shared, name: 's2' });
  const meet = () => {
    s1.servers.setOthers([{ name: 's2', supervisorUrl: s2.url, apiserverUrl }]);
    s2.servers.setOthers([{ name: 's1', supervisorUrl: s1.url, apiserverUrl }]);
  };
  return { s1, s2, meet };
}

test('it connects to a server that comes, and keeps its first connection', async () => {
  const { s1, s2, meet } = await twoServers();
  const heard: string[][] = [];
  await agentChannel(await s1.identity('a'), s1.url, {
    onServers: (servers) => heard.push(servers.flatMap(({ name }) => name ?? [])),
  });
  const first = await eventually(() => s1.nodes.session('a'));
  expect(s2.nodes.session('a')).toBeUndefined();
  meet();
  await eventually(() => s2.nodes.session('a'));
  expect(s1.nodes.session('a')).toBe(first);
  expect(heard[0]).toEqual(['s1']);
  expect(heard.at(-1)?.toSorted()).toEqual(['s1', 's2']);
});

test('each server has its heartbeats, and has its commands carried out', async () => {
  const { s1, s2, meet } = await twoServers();
  meet();
  await agentChannel(await s1.identity('a'), s1.url);
  for (const { nodes } of [s1, s2]) {
    const session = await eventually(() => nodes.session('a'));
    await eventually(() => session.heartbeat);
    expect(await session.command({ kind: 'leave' })).toBe('done: leave');
  }
});

test('when one is gone the other one’s connection stays, and the channel says who is missing', async () => {
  const { s1, s2, meet } = await twoServers();
  meet();
  const channel = await agentChannel(await s1.identity('a'), s1.url);
  const [one, other] = await Promise.all([s1, s2].map(({ nodes }) => eventually(() => nodes.session('a'))));
  await s1.api.stop();
  await eventually(() => s1.nodes.session('a') === undefined);
  await eventually(() => channel.health().message.includes('one server is not reached'));
  expect(channel.health().status).toBe('True');
  expect(s2.nodes.session('a')).toBe(other);
  expect(one).not.toBe(other);
});

test('a server that has left is not tried any more', async () => {
  const { s1, s2, meet } = await twoServers();
  meet();
  const channel = await agentChannel(await s1.identity('a'), s1.url);
  await eventually(() => s2.nodes.session('a'));
  await s2.api.stop();
  s1.servers.setOthers([]);
  await eventually(() => s2.nodes.session('a') === undefined);
  expect(channel.health().status).toBe('True');
  expect(s1.nodes.session('a')).toBeDefined();
});
