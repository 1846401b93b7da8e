/** One stranger does not take the downloads that joiners need, and 'HEAD' or a small range is none. */
import { once } from 'node:events';
import { truncateSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { downloadLimits } from '../../../src/server/api/downloads.ts';
import { loopbacks } from '../../helpers/attackers.ts';
import { joinServer } from '../../helpers/join-server.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';

/** More than the buffers of both ends hold. */
const sizeBytes = 48 * 1024 * 1024;
const path = `/release/v1.2.3/kagent-${process.arch === 'x64' ? 'amd64' : 'arm64'}`;

async function releaseServer(api: NonNullable<Parameters<typeof joinServer>[0]>['api'] = {}) {
  const executable = join(temporaryDir(), 'kagent');
  writeFileSync(executable, '');
  truncateSync(executable, sizeBytes);
  const server = await joinServer({ executable, api });
  expect((await ask(server.url, 'HEAD', {})).status).toBe(200); // checksums are computed
  return server;
}

async function ask(url: string, method: string, headers: Readonly<Record<string, string>>, localAddress = '127.0.0.1') {
  const asked = request(url + path, { method, headers, localAddress, rejectUnauthorized: false, agent: false });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) bytes += chunk.length;
  return { status: response.statusCode, bytes };
}

/** Asks for the whole and reads its head alone. @returns the connections that got one */
async function unread(url: string, addresses: readonly string[]): Promise<readonly TLSSocket[]> {
  const { port } = new URL(url);
  const opened = addresses.map(async (localAddress) => {
    const raw = connectTcp({ host: '127.0.0.1', port: Number(port), localAddress });
    const socket = connect({ socket: raw, rejectUnauthorized: false });
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`);
    const [head] = (await once(socket, 'data')) as [Buffer];
    socket.pause();
    return head.toString('latin1').startsWith('HTTP/1.1 200') ? [socket] : [];
  });
  return (await Promise.all(opened)).flat();
}

test('64 unread downloads of one address block nobody else', async () => {
  const { url } = await releaseServer();
  const [address = ''] = loopbacks(1);
  expect(await unread(url, Array<string>(64).fill(address))).toHaveLength(64);
  expect(await ask(url, 'GET', {})).toEqual({ status: 200, bytes: sizeBytes });
  expect((await ask(url, 'GET', {}, address)).status).toBe(503);
});

test('where some addresses have all places, one of theirs goes to an address that has none', async () => {
  const { url } = await releaseServer({ downloads: { ...downloadLimits, most: 16, mostOfAddress: 4 } });
  const everywhere = loopbacks(4).flatMap((address) => Array<string>(4).fill(address));
  expect(await unread(url, everywhere)).toHaveLength(16);
  expect(await ask(url, 'GET', {})).toEqual({ status: 200, bytes: sizeBytes });
});

test('asking for the size and for a small range are no downloads', async () => {
  const { url } = await releaseServer();
  const [address = ''] = loopbacks(1);
  await unread(url, Array<string>(64).fill(address));
  expect((await ask(url, 'HEAD', {}, address)).status).toBe(200);
  expect(await ask(url, 'GET', { range: 'bytes=0-1023' }, address)).toEqual({ status: 206, bytes: 1024 });
});

test('who does not read loses the connection, who reads gets all', async () => {
  const downloads = { most: 4, mostOfAddress: 4, slowestBytes: 1024, everyMs: 500 };
  const { url } = await releaseServer({ downloads });
  const sockets = await unread(url, loopbacks(3));
  const ended = new Set<TLSSocket>();
  for (const socket of sockets) socket.on('close', () => ended.add(socket));
  expect(await ask(url, 'GET', {})).toEqual({ status: 200, bytes: sizeBytes });
  await eventually(async () => {
    for (const socket of sockets) socket.resume(); // an end is seen by who reads
    return ended.size === sockets.length;
  });
});

test('a download that is given up takes the file from nobody', async () => {
  const { url } = await releaseServer();
  for (const socket of await unread(url, loopbacks(3))) {
    socket.destroy();
    expect(await ask(url, 'GET', {})).toEqual({ status: 200, bytes: sizeBytes });
  }
});
