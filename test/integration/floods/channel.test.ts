/** A node that was taken over does not fill its server's memory, time, log or Nodes. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { NodeIdentity } from '../../../src/agent/membership/membership.ts';
import { channelPath, channelProtocol, closeCodes } from '../../../src/shared/protocol/channel.ts';
import { attacker } from '../../helpers/attackers.ts';
import { agentChannel, channelServer, hello, seen } from '../../helpers/channel-server.ts';
import { eventually } from '../../helpers/wait.ts';

const heartbeat = { type: 'beat', seq: 1, ...seen } as const;

function open(url: string, { files }: NodeIdentity): WebSocket {
  const [ca, cert, key] = [files.serverCa, files.pairs.kubelet.certPath, files.pairs.kubelet.keyPath].map((path) =>
    readFileSync(path),
  );
  const socket = new WebSocket(`${url.replace('https', 'wss')}${channelPath}`, [channelProtocol], {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
  });
  onTestFinished(() => socket.terminate());
  socket.on('error', () => {});
  return socket;
}

async function say(socket: WebSocket, ...messages: readonly unknown[]): Promise<void> {
  await once(socket, 'open');
  for (const message of messages) socket.send(JSON.stringify(message));
}

test.each(['heartbeats', 'pings'])(
  '%s whose answers are not read take no memory, and other nodes notice nothing',
  async (what) => {
    const server = await channelServer();
    const { files } = await server.identity('a');
    const { certPath, keyPath } = files.pairs.kubelet;
    await agentChannel(await server.identity('b'), server.url, { hello: () => ({ ...hello, machineId: 'b' }) });
    await eventually(() => server.nodes.session('b') !== undefined);
    const before = process.memoryUsage().rss;
    const args = [
      server.url,
      files.serverCa,
      certPath,
      keyPath,
      what,
      JSON.stringify(hello),
      JSON.stringify(heartbeat),
    ];
    await attacker('unread', ...args);
    const beganMs = performance.now();
    let mostBytes = 0;
    await eventually(
      () => {
        mostBytes = Math.max(mostBytes, process.memoryUsage().rss - before);
        return performance.now() - beganMs > 8000;
      },
      { what: 'eight seconds' },
    );
    expect(mostBytes / 1024 / 1024).toBeLessThan(32);
    expect(server.nodes.session('b')?.generation).toBe(1);
  },
);

test('a node that does not read what it is told is dropped, and may come again', async () => {
  const server = await channelServer();
  const identity = await server.identity('a');
  const socket = open(server.url, identity);
  await say(socket, hello);
  const session = await eventually(() => server.nodes.session('a'), { what: 'its session' });
  socket.pause();
  const told = { type: 'open', id: 'x'.repeat(200), host: '127.0.0.1', port: 1 } as const;
  await eventually(
    () => {
      for (let count = 0; count < 500; count++) session.send(told);
      return server.nodes.session('a') === undefined;
    },
    { what: 'its end' },
  );
  await agentChannel(identity, server.url);
  const next = await eventually(() => server.nodes.session('a'), { what: 'its next session' });
  expect(next.generation).toBe(2);
});

test('a node that sends ten thousand heartbeats at once is heard as often as one that sends some', async () => {
  const server = await channelServer();
  const socket = open(server.url, await server.identity('a'));
  let acks = 0;
  socket.on('message', (data: Buffer) => (acks += data.includes('"ack"') ? 1 : 0));
  await say(socket, hello, ...Array<typeof heartbeat>(10_000).fill(heartbeat));
  const bornMs = performance.now();
  await eventually(() => performance.now() - bornMs > 3000, { what: 'three seconds' });
  expect(acks).toBeGreaterThan(100);
  expect(acks).toBeLessThan(1500); // what one packet holds is heard before it waits
  expect(server.nodes.session('a')).toBeDefined();
});

test('a hello with two thousand addresses, or a name as long as a book, is none', async () => {
  const server = await channelServer();
  const identity = await server.identity('a');
  const many = Array.from({ length: 2000 }, (_, index) => `10.9.${index >> 8}.${index & 255}`);
  for (const wrong of [{ externalIps: many }, { version: 'x'.repeat(1024 * 1024) }]) {
    const socket = open(server.url, identity);
    await say(socket, { ...hello, ...wrong });
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(closeCodes.unreadable);
  }
  expect(server.nodes.all()).toEqual([]);
});

test('what a node says of a component or a failure is short, and acts on no terminal', async () => {
  const server = await channelServer();
  const escape = '\u001b]0;owned\u0007\u009b2J';
  const child = { name: 'kubelet', state: 'backing-off', restarts: 1, lastExit: escape + 'x'.repeat(1024 * 1024) };
  await agentChannel(await server.identity('a'), server.url, {
    hello: () => ({ ...hello, facts: { ...hello.facts, os: escape } }),
    look: () => Promise.resolve({ ...seen, children: [child] }),
    carryOut: () => Promise.reject(new Error(escape)),
  });
  const session = await eventually(() => server.nodes.session('a'));
  await eventually(() => session.heartbeat);
  expect(session.hello.facts.os).toBe('\\u001b]0;owned\\u0007\\u009b2J');
  expect(session.heartbeat?.children[0]?.lastExit?.length).toBeLessThan(1024);
  const failure = await session.command({ kind: 'restart', component: 'x' }).catch((error: Error) => error.message);
  expect(failure).toBe('a did not do it: \\u001b]0;owned\\u0007\\u009b2J');
});

test('a node that connects again and again is told to wait, and has few connections that say nothing', async () => {
  const server = await channelServer();
  const identity = await server.identity('a');
  const sockets = Array.from({ length: 40 }, () => open(server.url, identity));
  const answers = await Promise.all(
    sockets.map(async (socket) => {
      const refused = once(socket, 'unexpected-response') as Promise<[unknown, { readonly statusCode: number }]>;
      return await Promise.race([once(socket, 'open').then(() => 101), refused.then(([, one]) => one.statusCode)]);
    }),
  );
  expect(answers.filter((status) => status === 101)).toHaveLength(4);
  expect(answers.filter((status) => status === 429)).toHaveLength(36);
});

test('a node whose components go up and down with each heartbeat fills neither the events nor the datastore', async () => {
  const server = await channelServer();
  server.kube.put({ metadata: { name: 'a' } });
  const writes = vi.spyOn(server.kube, 'strategicPatch');
  const socket = open(server.url, await server.identity('a'));
  const heartbeats = Array.from({ length: 200 }, (_, index) => ({
    ...heartbeat,
    seq: index,
    children: [
      { name: 'kubelet', state: index % 2 === 0 ? 'ready' : 'failed', restarts: index, lastExit: `code ${index}` },
    ],
  }));
  await say(socket, hello, ...heartbeats);
  await eventually(() => server.nodes.session('a')?.heartbeat?.seq === 199, { what: 'the last one' });
  expect(server.kube.events.length).toBeGreaterThan(20);
  expect(server.kube.events.length).toBeLessThan(40);
  expect(writes.mock.calls.length).toBeLessThan(10);
  await eventually(() => server.kube.conditions('a').includes('kagent.sh/ChildrenHealthy False ComponentDown'));
});
