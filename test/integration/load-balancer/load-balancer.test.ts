import { once } from 'node:events';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:https';
import type { Server } from 'node:https';
import { connect as connectTcp, createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { BalancerPortTakenError, createLoadBalancer } from '../../../src/agent/load-balancer/load-balancer.ts';
import type { Fallback } from '../../../src/agent/load-balancer/load-balancer.ts';
import { openPki } from '../../../src/server/pki/pki.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';

const { signal } = new AbortController();

interface FakeServer {
  readonly url: string;
  /** Its connections hang as those of a box without power; it comes back with `thaw`. */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

/** Servers that say their names, and what trusts them. */
async function servers(count: number) {
  const dir = temporaryDir();
  const pki = await openPki(dir);
  const leaf = await pki.keepLeaf(pki.serverCa, {
    name: 'apiserver',
    commonName: 'kube-apiserver',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
  });
  const tls = { cert: readFileSync(leaf.certFile), key: readFileSync(leaf.keyFile) };
  const caPath = join(dir, 'ca.pem');
  writeFileSync(caPath, pki.serverCa.caPem);
  const all = await Promise.all(Array.from({ length: count }, (_, index) => fakeServer(String(index), tls)));
  return { all, caPath, ca: pki.serverCa.caPem };
}

async function fakeServer(name: string, tls: { readonly cert: Buffer; readonly key: Buffer }): Promise<FakeServer> {
  const server: Server = createServer(tls, (_asked, response) => void response.end(name));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // In front of it stands a wire that can be cut without either end being told.
  let isFrozen = false;
  const sockets = new Set<Socket>();
  const wire = createTcpServer((client) => {
    const upstream = connectTcp((server.address() as AddressInfo).port, '127.0.0.1');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes: Buffer) => void (isFrozen || to.write(bytes)));
      from.on('error', () => {});
      from.on('close', () => void (isFrozen || to.destroy()));
    }
  });
  wire.listen(0, '127.0.0.1');
  await once(wire, 'listening');
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    server.close();
    if (wire.listening) await new Promise<void>((resolve) => wire.close(() => resolve()));
  };
  onTestFinished(close);
  return {
    url: `https://127.0.0.1:${(wire.address() as AddressInfo).port}`,
    freeze: () => void (isFrozen = true),
    thaw: () => void (isFrozen = false),
    close,
  };
}

async function balancer(options: {
  readonly urls: () => readonly string[];
  readonly caPath: string;
  readonly fallback?: Fallback;
}) {
  const { fallback } = options;
  const made = createLoadBalancer({
    after: [],
    port: 0,
    apiserverUrls: options.urls,
    caPath: () => options.caPath,
    ...(fallback && { fallback }),
    log: silentLog,
  });
  await made.start(signal);
  onTestFinished(() => made.stop());
  return made;
}

/** Who answers over this connection pool. */
function ask(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent }, (response) => {
      let text = '';
      response.on('data', (bytes: Buffer) => (text += bytes.toString()));
      response.on('end', () => resolve(text));
    });
    asked.on('error', reject);
    asked.end();
  });
}

test('all connections go to one server while it answers', async () => {
  const { all, caPath, ca } = await servers(2);
  const lb = await balancer({ urls: () => all.map((one) => one.url), caPath });
  const answers = [];
  for (let index = 0; index < 10; index++) answers.push(await ask(lb.url(), new Agent({ ca })));
  expect(new Set(answers).size).toBe(1);
});

test('a server that hangs loses its connections within three seconds, and the next server has them', async () => {
  const { all, caPath, ca } = await servers(2);
  const lb = await balancer({ urls: () => all.map((one) => one.url), caPath });
  const agent = new Agent({ ca, keepAlive: true });
  const first = await ask(lb.url(), agent);
  const hanging = ask(lb.url(), agent);
  await hanging;
  all[Number(first)]?.freeze();
  const frozenAtMs = performance.now();
  const broken = ask(lb.url(), agent).catch(() => 'broken');
  expect(await broken).toBe('broken');
  expect(performance.now() - frozenAtMs).toBeLessThan(3000);
  const second = await ask(lb.url(), agent);
  expect(second).not.toBe(first);
});

test('a server that is gone is passed over, and used again when it is the only one left', async () => {
  const { all, caPath, ca } = await servers(2);
  const lb = await balancer({ urls: () => all.map((one) => one.url), caPath });
  const first = await ask(lb.url(), new Agent({ ca }));
  await all[Number(first)]?.close();
  expect(await ask(lb.url(), new Agent({ ca }))).not.toBe(first);
});

test('a server that the cluster no longer has is not asked any more', async () => {
  const { all, caPath, ca } = await servers(2);
  let urls = all.map((one) => one.url);
  const lb = await balancer({ urls: () => urls, caPath });
  const first = await ask(lb.url(), new Agent({ ca }));
  urls = urls.filter((_, index) => String(index) !== first);
  const other = async () => [await ask(lb.url(), new Agent({ ca }))].find((answer) => answer !== first);
  expect(await eventually(other, { what: 'the other server' })).not.toBe(first);
});

/** Notes what it is given. */
function noting() {
  const fallen: Socket[] = [];
  let ended = 0;
  const fallback = { answer: (client: Socket) => void fallen.push(client), end: () => void ended++ };
  return { fallen, fallback, ended: () => ended };
}

test('until a server is reached the fallback gets the connections, and loses them when one is', async () => {
  const { all, caPath, ca } = await servers(1);
  const { fallen, fallback, ended } = noting();
  let url = 'https://127.0.0.1:9'; // nobody listens there
  const lb = await balancer({ urls: () => [url], caPath, fallback });
  const waiting = ask(lb.url(), new Agent({ ca })).catch(() => 'broken');
  await eventually(() => fallen.length === 1, { what: 'a connection of the fallback' });
  expect(ended()).toBe(0);
  url = all[0]?.url ?? '';
  expect(await waiting).toBe('broken');
  expect(ended()).toBe(1);
  expect(await ask(lb.url(), new Agent({ ca }))).toBe('0');
});

test('once a server was reached the fallback gets nothing any more', async () => {
  const { all, caPath, ca } = await servers(1);
  const { fallen, fallback, ended } = noting();
  const lb = await balancer({ urls: () => all.map((one) => one.url), caPath, fallback });
  expect(await ask(lb.url(), new Agent({ ca }))).toBe('0');
  await eventually(() => lb.health().status === 'True', { what: 'the probe with the CA', withinMs: 20_000 });
  await all[0]?.close();
  await eventually(() => lb.health().status === 'False', { withinMs: 15_000, what: 'the dead server' });
  expect(await ask(lb.url(), new Agent({ ca })).catch(() => 'broken')).toBe('broken');
  expect(fallen).toEqual([]);
  expect(ended()).toBe(1);
});

test('a server that answers again is used again', async () => {
  const { all, caPath, ca } = await servers(1);
  const lb = await balancer({ urls: () => all.map((one) => one.url), caPath });
  expect(await ask(lb.url(), new Agent({ ca }))).toBe('0');
  all[0]?.freeze();
  await eventually(() => lb.health().status === 'False', { withinMs: 15_000, what: 'the dead server' });
  all[0]?.thaw();
  await eventually(() => lb.health().status === 'True', { withinMs: 15_000, what: 'the server again' });
  expect(await ask(lb.url(), new Agent({ ca }))).toBe('0');
});

test('a taken port is named', async () => {
  const { all, caPath } = await servers(1);
  const taken = createTcpServer();
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as AddressInfo;
  const made = createLoadBalancer({
    after: [],
    port,
    apiserverUrls: () => all.map((one) => one.url),
    caPath: () => caPath,
    log: silentLog,
  });
  await expect(made.start(signal)).rejects.toThrow(BalancerPortTakenError);
});

test('neither a CA nor a memory that cannot be read ends the balancer: it serves, and looks again', async () => {
  const { all, ca } = await servers(1);
  const caPath = join(temporaryDir(), 'ca.pem');
  mkdirSync(caPath);
  const fallback: Fallback = {
    answer() {
      throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
    },
    end: () => {},
  };
  let urls: readonly string[] = ['https://127.0.0.1:1'];
  const lb = await balancer({ urls: () => urls, caPath, fallback });
  await expect(ask(lb.url(), new Agent({ ca }))).rejects.toThrow(/ECONNRESET|disconnected|hang up/);
  rmdirSync(caPath);
  writeFileSync(caPath, ca);
  urls = all.map((one) => one.url);
  await eventually(async () => (await ask(lb.url(), new Agent({ ca }))) === '0', {
    what: 'the server',
    withinMs: 20_000,
  });
  await eventually(() => lb.health().status === 'True', { what: 'the probe with the CA', withinMs: 20_000 });
});
