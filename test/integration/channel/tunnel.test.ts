import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { expect, onTestFinished, test } from 'vitest';
import { agentChannel, channelServer } from '../../helpers/channel-server.ts';
import type { ChannelServer } from '../../helpers/channel-server.ts';
import { eventually } from '../../helpers/wait.ts';

/** A listener that does as it is told with each connection. */
async function target(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  return (listener.address() as AddressInfo).port;
}

/** A server and a node whose pods have loopback's addresses. */
async function tunnel(mayDial = (_host: string) => true): Promise<ChannelServer> {
  const server = await channelServer();
  server.kube.put({
    metadata: { name: 'a' },
    spec: { podCIDRs: ['127.0.0.0/16'] },
  });
  await agentChannel(await server.identity('a'), server.url, { mayDial });
  await eventually(() => server.nodes.session('a') !== undefined && server.nodes.objects().length === 1);
  return server;
}

async function connectThrough({ egressSocket }: ChannelServer, authority: string) {
  const socket = connect(egressSocket);
  onTestFinished(() => void socket.destroy());
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  const [head] = (await once(socket, 'data')) as [Buffer];
  return { socket, status: head.toString('latin1').split('\r\n', 1).join('') };
}

test('what kube-apiserver says reaches the node, and vice versa', async () => {
  const port = await target((socket) => socket.pipe(socket));
  const { socket, status } = await connectThrough(await tunnel(), `127.0.0.1:${port}`);
  expect(status).toBe('HTTP/1.1 200 Connection Established');
  socket.write('hello');
  expect(String(((await once(socket, 'data')) as [Buffer])[0])).toBe('hello');
  socket.end();
  await once(socket, 'close');
});

test('a reader that does not read holds back the sender, and both ends keep little in memory', async () => {
  const sent = { bytes: 0 };
  const chunk = Buffer.alloc(256 * 1024);
  const port = await target((socket) => {
    const send = (): void => {
      while (sent.bytes < 2 ** 30) {
        sent.bytes += chunk.length;
        if (!socket.write(chunk)) return void socket.once('drain', send);
      }
    };
    send();
  });
  const { socket } = await connectThrough(await tunnel(), `127.0.0.1:${port}`);
  socket.pause();
  let before = -1;
  await eventually(
    () => {
      const isSteady = before === sent.bytes;
      before = sent.bytes;
      return isSteady;
    },
    { what: 'a sender that waits' },
  );
  expect(sent.bytes).toBeLessThan(64 * 2 ** 20);
  let received = 0;
  socket.on('data', (bytes: Buffer) => (received += bytes.length)).resume();
  await eventually(() => received > 128 * 2 ** 20, { withinMs: 30_000, what: 'the rest' });
});

test('a stream that is full does not delay the heartbeats', async () => {
  const chunk = Buffer.alloc(256 * 1024);
  const port = await target((socket) => {
    const send = (): void => {
      while (socket.write(chunk));
      socket.once('drain', send);
    };
    send();
  });
  const server = await tunnel();
  const { socket } = await connectThrough(server, `127.0.0.1:${port}`);
  socket.resume();
  const before = server.nodes.session('a')?.heartbeat?.seq ?? 0;
  await eventually(() => (server.nodes.session('a')?.heartbeat?.seq ?? 0) > before, { what: 'a heartbeat meanwhile' });
  expect(server.nodes.session('a')?.heartbeat?.roundTripMs ?? 1e6).toBeLessThan(1000);
});

test('a port that nobody listens on is said to be so', async () => {
  const closed = createServer();
  closed.listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  closed.close();
  const { status } = await connectThrough(await tunnel(), `127.0.0.1:${port}`);
  expect(status).toMatch(/^HTTP\/1.1 502 connect ECONNREFUSED/);
});

test('an agent opens nothing but itself and its pods', async () => {
  const port = await target((socket) => socket.end('secret'));
  const server = await tunnel((host) => host !== '127.0.0.1');
  const { status } = await connectThrough(server, `127.0.0.1:${port}`);
  expect(status).toBe('HTTP/1.1 502 127.0.0.1 is neither this node nor one of its pods');
});

test('a pod is reached through its node', async () => {
  const listener = createServer((socket) => socket.end('pod'));
  listener.listen(0, '127.0.3.7');
  await once(listener, 'listening');
  onTestFinished(() => void listener.close());
  const { port } = listener.address() as AddressInfo;
  const { socket, status } = await connectThrough(await tunnel(), `127.0.3.7:${port}`);
  expect(status).toContain('200');
  expect(String(((await once(socket, 'data')) as [Buffer])[0])).toBe('pod');
});

test('an address of no node is reached from the server itself', async () => {
  const outside = Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === 'IPv4' && !one.internal);
  const listener = createServer((socket) => socket.end('outside'));
  listener.listen(0, outside?.address ?? '127.1.0.2');
  await once(listener, 'listening');
  onTestFinished(() => void listener.close());
  const { address, port } = listener.address() as AddressInfo;
  const { status } = await connectThrough(await tunnel(() => false), `${address}:${port}`);
  expect(status).toContain('200');
});

test.each(['nowhere', ':80', 'a:0', ''])('CONNECT %j is refused', async (authority) => {
  const { status } = await connectThrough(await tunnel(), authority === '' ? '/' : authority);
  expect(status).toMatch(/^HTTP\/1.1 400/);
});
