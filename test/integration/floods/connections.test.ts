/** One stranger does not take the connections that all share. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import type { NodeIdentity } from '../../../src/agent/membership/membership.ts';
import { attacker, loopbacks } from '../../helpers/attackers.ts';
import { agentChannel, channelServer, hello } from '../../helpers/channel-server.ts';
import type { ChannelServer } from '../../helpers/channel-server.ts';
import { eventually } from '../../helpers/wait.ts';

const silent = 5000;

/** Until it is closed by the other end. @returns milliseconds */
async function lifeOf(socket: Socket): Promise<number> {
  const bornMs = performance.now();
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  socket.resume();
  await once(socket, 'close');
  return performance.now() - bornMs;
}

/** What honest people do meanwhile: a box joins, a node connects, kube-apiserver gets a stream to a node that is connected. */
async function honestWork(server: ChannelServer, name: string): Promise<void> {
  const port = server.api.port();
  const socket = connect(server.egressSocket);
  onTestFinished(() => void socket.destroy());
  socket.write(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: a\r\n\r\n`);
  const [head] = (await once(socket, 'data')) as [Buffer];
  expect(head.toString()).toContain('200 Connection Established');
  const identity = await server.identity(name);
  await agentChannel(identity, server.url, { hello: () => ({ ...hello, machineId: name }) });
  await eventually(() => server.nodes.session(name), { what: `a session of ${name}` });
}

async function serverWithNode(): Promise<{ readonly server: ChannelServer; readonly identity: NodeIdentity }> {
  const server = await channelServer();
  server.kube.put({ metadata: { name: 'a' }, spec: { podCIDRs: ['127.0.0.0/16'] } });
  const identity = await server.identity('a');
  await agentChannel(identity, server.url);
  await eventually(() => server.nodes.session('a') !== undefined && server.nodes.objects().length === 1);
  return { server, identity };
}

test.each([
  ['other addresses', loopbacks(4)],
  ['very many addresses', loopbacks(1100)],
  ['the address of the nodes themselves', ['127.0.0.1']],
])(
  'five thousand silent connections from %s: joins, channels and streams still work',
  async (_, addresses) => {
    const { server } = await serverWithNode();
    await attacker('silent', String(server.api.port()), String(silent), ...addresses);
    for (const name of ['b', 'c']) await honestWork(server, name);
    expect(server.nodes.session('a')?.generation).toBe(1);
  },
  120_000,
);

test('a node that opens six hundred connections keeps 512, and takes none from others', async () => {
  const { server, identity } = await serverWithNode();
  const { files } = identity;
  const [cert, key] = [files.pairs.kubelet.certPath, files.pairs.kubelet.keyPath].map((path) => readFileSync(path));
  const open = new Set<Socket>();
  const ended = new Set<Socket>();
  const dialTls = (): void => {
    const raw = connect({ host: '127.0.0.1', port: server.api.port() });
    const socket = connectTls({ socket: raw, rejectUnauthorized: false, ...(cert && { cert }), ...(key && { key }) });
    onTestFinished(() => void socket.destroy());
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => ended.add(socket));
    socket.resume();
    // A request whose body does not come holds it.
    socket.once(
      'secureConnect',
      () => void socket.write('POST /v1/join HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n'),
    );
  };
  for (let count = 0; count < 600; count++) dialTls();
  await eventually(() => ended.size >= 600 - 512 + 1, { withinMs: 12_000, what: 'the end of what is too much' });
  await agentChannel(await server.identity('b'), server.url, { hello: () => ({ ...hello, machineId: 'b' }) });
  await eventually(() => server.nodes.session('b'), { what: 'another node' });
  expect(server.nodes.session('a')?.generation).toBe(1);
}, 120_000);

test('a peer that says nothing, before TLS or after it, has some seconds', async () => {
  const { api } = await channelServer();
  const to = { host: '127.0.0.1', port: api.port() };
  const slow = connectTls(
    { ...to, rejectUnauthorized: false },
    () => void slow.write('POST /v1/join HTTP/1.1\r\nhost: a\r\n'),
  );
  const lives = await Promise.all([
    lifeOf(connect(to)),
    lifeOf(connectTls({ ...to, rejectUnauthorized: false })),
    lifeOf(slow),
  ]);
  for (const life of lives) expect(life).toBeLessThan(10_000);
});

test('a hundred agents behind one address come back at once after the server was away', async () => {
  const server = await channelServer();
  const supervisorUrls = () => [`https://127.0.0.1:${server.api.port()}`];
  const names = Array.from({ length: 100 }, (_, index) => `n${index}`);
  for (const name of names) {
    const said = { ...hello, machineId: name, internalIps: [] };
    await agentChannel(await server.identity(name), server.url, { supervisorUrls, hello: () => said });
  }
  const connected = (generation: number) =>
    names.every((name) => (server.nodes.session(name)?.generation ?? 0) >= generation);
  await eventually(() => connected(1), { withinMs: 30_000, what: 'all of them' });
  await server.api.stop();
  await eventually(() => names.every((name) => server.nodes.session(name) === undefined), { what: 'their end' });
  await server.api.start(new AbortController().signal);
  expect(await eventually(() => connected(2), { withinMs: 30_000, what: 'all of them again' })).toBe(true);
}, 120_000);
