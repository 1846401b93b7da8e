/** For hosts of a lab, which reach nothing beyond their switch: a proxy by which package managers get out. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lab } from './lab.ts';

export interface ForwardProxy {
  /** For the environment of whatever is to use it. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

const port = 3128;

/** It listens on the switch, where a program of the machine hands connections on to this process. */
export async function openForwardProxy(lab: Pick<Lab, 'switchNetns' | 'switchAddress'>): Promise<ForwardProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'kagent-test-'));
  const socket = join(folder, 'proxy.sock');
  const sockets = new Set<Socket>();
  const proxy = createServer(forward).on('connect', tunnel);
  proxy.on('connection', (one: Socket) => {
    sockets.add(one);
    one.once('close', () => sockets.delete(one));
  });
  proxy.listen(socket);
  await once(proxy, 'listening');
  const listen = `TCP-LISTEN:${port},bind=${lab.switchAddress},fork,reuseaddr`;
  const relay = spawn('ip', ['netns', 'exec', lab.switchNetns, 'socat', listen, `UNIX-CONNECT:${socket}`], {
    stdio: 'ignore',
  });
  const ended = once(relay, 'close');
  const address = `http://${lab.switchAddress}:${port}`;
  return {
    env: { http_proxy: address, https_proxy: address },
    async close() {
      relay.kill('SIGTERM');
      await ended;
      for (const one of sockets) one.destroy();
      proxy.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** `GET http://…`, as apt asks. */
function forward(asked: IncomingMessage, answer: ServerResponse): void {
  const up = request(asked.url ?? '', { method: asked.method, headers: asked.headers }, (got) => {
    answer.writeHead(got.statusCode ?? 502, got.headers);
    got.pipe(answer);
  });
  up.on('error', () => answer.destroy());
  asked.pipe(up);
}

/** `CONNECT name:443`, as all others do. */
function tunnel(asked: IncomingMessage, client: Socket, head: Buffer): void {
  const { hostname, port: wanted } = new URL(`http://${asked.url}`);
  const up = connect(Number(wanted === '' ? 80 : wanted), hostname, () => {
    client.write('HTTP/1.1 200 Connection established\r\n\r\n');
    up.write(head);
    up.pipe(client).pipe(up);
  });
  for (const [one, other] of [
    [up, client],
    [client, up],
  ] as const) {
    one.on('error', () => other.destroy());
  }
}
