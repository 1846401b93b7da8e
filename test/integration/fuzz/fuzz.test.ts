/**
 * Bytes that nobody should send, made from traffic that everybody sends: the server keeps running, answers others and does not grow.
 * KAGENT_FUZZ_SECONDS: how long each kind takes (20).
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeTxn } from '../../helpers/etcd-requests.ts';
import { ConnectionError } from '../../../src/datastore/http2/frames.ts';
import { encodeHeaders, HeaderDecoder } from '../../../src/datastore/http2/hpack.ts';
import { ProtoWriter } from '../../../src/shared/protobuf/protobuf.ts';
import { TestClient } from '../../helpers/etcd-client.ts';
import { end, rssMiB } from '../../helpers/etcd-servers.ts';
import { integersFrom } from '../../helpers/random.ts';
import { frame, grpcRequest, preface, rawSocket, settings } from '../../helpers/raw-http2.ts';
import { eventually } from '../../helpers/wait.ts';

const seconds = Number(process.env['KAGENT_FUZZ_SECONDS'] ?? 20);
const timeoutMs = seconds * 1000 + 60_000;
const maxGrowthMiB = 300;

let dir: string;
let server: ChildProcess;
let socketPath: string;
let client: TestClient;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'kagent-fuzz-'));
  socketPath = join(dir, 'store.sock');
  const serve = resolve(import.meta.dirname, '../../helpers/datastore-serve.ts');
  const args = [serve, '--data-dir', join(dir, 'data'), '--listen', `unix://${socketPath}`];
  server = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  client = new TestClient(`unix://${socketPath}`);
  await eventually(() => client.put('/canary', 'alive'));
});
afterAll(async () => {
  await client.close();
  await end(server);
  rmSync(dir, { recursive: true, force: true });
});

function mutate(original: Buffer, random: (below: number) => number): Buffer {
  let bytes = Buffer.from(original);
  for (let changes = 1 + random(8); changes > 0; changes -= 1) {
    const at = random(bytes.length + 1);
    const kind = random(5);
    if (kind === 0 && at < bytes.length) bytes[at] = random(256);
    else if (kind === 1) bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from([random(256)]), bytes.subarray(at)]);
    else if (kind === 2) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(16))]);
    else if (kind === 3) bytes = Buffer.concat([bytes, bytes.subarray(at, at + random(64))]);
    else if (at < bytes.length) bytes[at] = [0, 0x7f, 0x80, 0xff][random(4)] ?? 0;
  }
  return bytes;
}

function message(write: (writer: ProtoWriter) => void): Buffer {
  const writer = new ProtoWriter();
  write(writer);
  return writer.finish();
}

const txn = message((writer) =>
  writeTxn(writer, {
    kind: 'txn',
    compare: [{ key: '/fuzz', target: 'mod', result: 'equal', operand: 0 }],
    success: [{ kind: 'put', key: '/fuzz', value: 'x'.repeat(50) }],
    failure: [{ kind: 'range', key: '/fuzz' }],
  }),
);
const range = message((writer) => {
  writer.text(1, '/');
  writer.text(2, '0');
  writer.int(3, 10);
});
const watch = message((writer) => writer.message(1, (create) => create.text(1, '/fuzz')));
const lease = message((writer) => writer.int(1, 60));
const calls = [
  ['/etcdserverpb.KV/Txn', txn],
  ['/etcdserverpb.KV/Range', range],
  ['/etcdserverpb.KV/RangeStream', range],
  ['/etcdserverpb.KV/Put', message((writer) => writer.text(1, '/fuzz'))],
  ['/etcdserverpb.KV/DeleteRange', message((writer) => writer.text(1, '/fuzz'))],
  ['/etcdserverpb.KV/Compact', lease],
  ['/etcdserverpb.Watch/Watch', watch],
  ['/etcdserverpb.Lease/LeaseGrant', lease],
  ['/etcdserverpb.Lease/LeaseKeepAlive', lease],
  ['/etcdserverpb.Lease/LeaseTimeToLive', lease],
  ['/etcdserverpb.Maintenance/HashKV', lease],
  ['/etcdserverpb.Maintenance/Alarm', lease],
  ['/v3lockpb.Lock/Lock', message((writer) => writer.text(1, '/fuzz-lock'))],
] as const;

const tidyAfterBatches = 500;

/** What damaged requests have stored goes, so that memory tells of leaks alone. */
async function tidy(): Promise<void> {
  await client.delete('\0', { rangeEnd: '/canary' });
  const { revision } = await client.delete('/canary\0', { rangeEnd: '\0' });
  await client.compact(revision, true);
}

/**
 * Sends what `make` gives for a seed, again and again; after each batch the well-behaved client is still served.
 * @returns how many were sent
 */
async function fuzz(make: (seed: number) => Buffer): Promise<number> {
  const before = rssMiB(server);
  const deadline = performance.now() + seconds * 1000;
  const start = Date.now() % 1_000_000_000;
  let seed = start;
  for (let batch = 1; performance.now() < deadline; batch += 1) {
    if (batch % tidyAfterBatches === 0) await tidy();
    const first = seed;
    const sockets = await Promise.all(Array.from({ length: 20 }, () => rawSocket(socketPath)));
    for (const socket of sockets) {
      socket.resume();
      socket.end(make(seed++));
    }
    await Promise.all(
      sockets.map(
        (socket) => new Promise((done) => socket.once('close', done).setTimeout(2000, () => socket.destroy())),
      ),
    );
    const { kvs } = await client.range('/canary').catch((error: unknown) => {
      throw new Error(`seeds ${first} to ${seed}: ${String(error)}`);
    });
    expect(kvs, `seeds ${first} to ${seed}`).toHaveLength(1);
    expect(server.exitCode, `seeds ${first} to ${seed}`).toBeNull();
  }
  expect(rssMiB(server) - before).toBeLessThan(maxGrowthMiB);
  return seed - start;
}

test('frames that are damaged end their connection, nobody else’s', { timeout: timeoutMs }, async () => {
  const sent = await fuzz((seed) => {
    const random = integersFrom(seed);
    const [path, body] = calls[random(calls.length)] ?? calls[0];
    const good = [settings(), grpcRequest(1, path, body), frame(6, 0, 0, Buffer.alloc(8)), grpcRequest(3, ...calls[1])];
    return Buffer.concat([preface, settings(), mutate(Buffer.concat(good), random)]);
  });
  expect(sent).toBeGreaterThan(100);
});

test(
  'messages that are damaged are refused, or are something else that is allowed',
  { timeout: timeoutMs },
  async () => {
    const sent = await fuzz((seed) => {
      const random = integersFrom(seed);
      const requests = calls.map(([path, body], at) => grpcRequest(2 * at + 1, path, mutate(body, random)));
      return Buffer.concat([preface, settings(), ...requests]);
    });
    expect(sent).toBeGreaterThan(100);
  },
);

test('a header block is read or refused, whatever is in it', { timeout: timeoutMs }, () => {
  const good = encodeHeaders([
    [':method', 'POST'],
    [':path', '/etcdserverpb.KV/Range'],
    ['user-agent', 'grpc-go/1.80.0'],
  ]);
  const huffman = Buffer.from('828684418cf1e3c2e5f23a6ba0ab90f4ff408825a849e95ba97d7f8925a849e95bb8e8b4bf', 'hex');
  const deadline = performance.now() + seconds * 1000;
  let read = 0;
  for (let seed = Date.now() % 1_000_000_000; performance.now() < deadline; seed += 1) {
    const random = integersFrom(seed);
    const decoder = new HeaderDecoder();
    for (
      let blocks = 0;
      blocks < 20 && isDecoded(decoder, mutate(random(2) === 0 ? good : huffman, random), seed);
      blocks += 1
    );
    read += 1;
  }
  expect(read).toBeGreaterThan(100);
});

function isDecoded(decoder: HeaderDecoder, block: Buffer, seed: number): boolean {
  try {
    decoder.decode(block);
    return true;
  } catch (error) {
    if (error instanceof ConnectionError) return false;
    throw new Error(`seed ${seed}`, { cause: error });
  }
}
