/** Clients that nobody wishes for: the datastore stays within bounds, and everyone else is served. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ProtoWriter } from '../../../src/shared/protobuf/protobuf.ts';
import { prefix, TestClient } from '../../helpers/etcd-client.ts';
import { end, rssMiB } from '../../helpers/etcd-servers.ts';
import { frame, grpcRequest, preface, rawSocket, settings } from '../../helpers/raw-http2.ts';
import { eventually } from '../../helpers/wait.ts';

let dir: string;
let server: ChildProcess;
let socketPath: string;
let client: TestClient;
const sockets: Socket[] = [];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'kagent-abuse-'));
  socketPath = join(dir, 'store.sock');
  const serve = resolve(import.meta.dirname, '../../helpers/datastore-serve.ts');
  const args = [serve, '--data-dir', join(dir, 'data'), '--listen', `unix://${socketPath}`];
  server = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  client = new TestClient(`unix://${socketPath}`);
  await eventually(() => client.currentRevision());
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await client.close();
  await end(server);
  rmSync(dir, { recursive: true, force: true });
});

const open = async (): Promise<Socket> => {
  const socket = await rawSocket(socketPath);
  sockets.push(socket);
  return socket;
};
/** The well-behaved client gets its answer within the test's patience, whatever else happens. */
const isServed = async (): Promise<boolean> => {
  await client.put('/canary', 'alive');
  return (await client.range('/canary')).kvs.length === 1;
};
function message(write: (writer: ProtoWriter) => void): Buffer {
  const writer = new ProtoWriter();
  write(writer);
  return Buffer.from(writer.finish());
}
const rangeAll = message((writer) => {
  writer.text(1, '/big/');
  writer.text(2, '/big0');
});
/** Windows as large as HTTP/2 has them: nothing holds the server back but the socket. */
const wideOpen = Buffer.concat([
  preface,
  settings(Buffer.from('00047fffffff', 'hex')),
  frame(8, 0, 0, Buffer.from('7fff0000', 'hex')),
]);
const fillMiB = async (mebibytes: number): Promise<void> => {
  for (let i = 0; i < mebibytes; i += 1) await client.put(`/big/${i}`, 'x'.repeat(1 << 20));
};

test('a client that asks for much and reads nothing holds bounded memory', async () => {
  await fillMiB(5);
  const before = rssMiB(server);
  const socket = await open();
  socket.pause();
  socket.write(wideOpen);
  for (let stream = 1; stream < 2000; stream += 2)
    socket.write(grpcRequest(stream, '/etcdserverpb.KV/Range', rangeAll));
  for (let round = 0; round < 20; round += 1) expect(await isServed()).toBe(true);
  expect(rssMiB(server) - before).toBeLessThan(700); // 64 requests of one turn, 5 MiB each, and what was there
});

test('the same with windows of zero: what waits is bounded, further requests are refused', async () => {
  await fillMiB(5);
  const before = rssMiB(server);
  const socket = await open();
  socket.resume();
  socket.write(Buffer.concat([preface, settings(Buffer.from('000400000000', 'hex'))]));
  for (let stream = 1; stream < 2000; stream += 2)
    socket.write(grpcRequest(stream, '/etcdserverpb.KV/Range', rangeAll));
  for (let round = 0; round < 20; round += 1) expect(await isServed()).toBe(true);
  expect(rssMiB(server) - before).toBeLessThan(700);
});

test('ten thousand watches on one stream all hear of a write, and others are served meanwhile', async () => {
  const socket = await open();
  let received = 0;
  socket.on('data', (chunk: Buffer) => (received += chunk.length));
  socket.write(wideOpen);
  const create = message((writer) => writer.message(1, (one) => one.text(1, '/watched')));
  const head = grpcRequest(1, '/etcdserverpb.Watch/Watch', create);
  head[head.length - create.length - 5 - 5] = 0; // the request is not over: no END_STREAM
  socket.write(head);
  const more = Buffer.alloc(5 + create.length);
  more.writeUInt32BE(create.length, 1);
  create.copy(more, 5);
  for (let watch = 1; watch < 10_000; watch += 1) socket.write(frame(0, 0, 1, more));
  await eventually(async () => (await client.put('/watched', '')).revision > 0);
  await eventually(() => received > 10_000 * 20, { withinMs: 20_000 });
  const before = received;
  await client.put('/watched', 'x'.repeat(100));
  await eventually(() => received - before > 10_000 * 100, { withinMs: 20_000, what: 'an event for each watch' });
  expect(await isServed()).toBe(true);
});

test('a thousand connections at once, half of them silent, cost little', async () => {
  const before = rssMiB(server);
  for (let i = 0; i < 1000; i += 1) {
    const socket = await open();
    socket.resume();
    if (i % 2 === 0) socket.write(Buffer.concat([preface, settings()]));
  }
  expect(await isServed()).toBe(true);
  expect(rssMiB(server) - before).toBeLessThan(100);
});

test('a client that pings and sets for ever without reading is not read any more', async () => {
  const before = rssMiB(server);
  const socket = await open();
  socket.pause();
  socket.write(Buffer.concat([preface, settings()]));
  const flood = Buffer.concat(Array.from({ length: 4000 }, () => frame(6, 0, 0, Buffer.alloc(8))));
  for (let i = 0; i < 1000; i += 1) socket.write(flood); // 68 MB, most of which stay with the client
  for (let round = 0; round < 20; round += 1) expect(await isServed()).toBe(true);
  expect(rssMiB(server) - before).toBeLessThan(200);
});

test('a client that opens streams and resets them at once leaves nothing behind', async () => {
  const before = rssMiB(server);
  const socket = await open();
  socket.resume();
  socket.write(wideOpen);
  for (let stream = 1; stream < 100_000; stream += 2) {
    const request = grpcRequest(
      stream,
      '/etcdserverpb.KV/Range',
      message((writer) => writer.text(1, '/k')),
    );
    socket.write(Buffer.concat([request, frame(3, 0, stream, Buffer.from('00000008', 'hex'))]));
  }
  expect(await isServed()).toBe(true);
  await eventually(() => socket.writableLength === 0, { withinMs: 20_000 });
  expect(await isServed()).toBe(true);
  expect(rssMiB(server) - before).toBeLessThan(200);
});

test('a request beyond 1.5 MiB is refused in etcd’s words, one beyond what gRPC takes in gRPC’s', async () => {
  await expect(client.put('/large', 'x'.repeat(1.5 * 1024 * 1024 + 1))).rejects.toThrow(
    'etcdserver: request is too large',
  );
  await expect(client.put('/larger', 'x'.repeat(2.5 * 1024 * 1024))).rejects.toThrow(
    'received message larger than max',
  );
  expect((await client.range('/l', prefix('/l'))).kvs).toHaveLength(0);
  expect(await isServed()).toBe(true);
});
