import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:https';
import { connect } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Tls } from '../../../../src/agent/registries/file.ts';
import { secureContextOf } from '../../../../src/agent/registries/tls.ts';
import { follow, outsideAgents } from '../../../../src/shared/http/http.ts';
import { openPki } from '../../../../src/server/pki/pki.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

afterEach(() => void vi.unstubAllEnvs());

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** A registry with a certificate of its own CA, which tells who showed it a certificate. */
async function privateRegistry() {
  const pki = await openPki(temporaryDir());
  const of = { commonName: 'registry', dnsNames: ['registry.test'], ipAddresses: ['127.0.0.1'] };
  const { certFile, keyFile } = await pki.keepLeaf(pki.serverCa, { name: 'registry', usages: ['server'], ...of });
  const client = await pki.keepLeaf(pki.clientCa, { name: 'node', commonName: 'node', usages: ['client'] });
  const server = createServer(
    {
      cert: readFileSync(certFile),
      key: readFileSync(keyFile),
      ca: pki.clientCa.caPem,
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      const { authorized } = request.socket as unknown as { readonly authorized: boolean };
      response.end(`${request.headers.host} ${authorized ? 'somebody' : 'nobody'}`);
    },
  );
  return { port: await portOf(server), caFile: pki.serverCa.certFile, client };
}

async function ask(url: string, tls: Tls, direct: readonly string[] = []): Promise<string> {
  const rejectUnauthorized = !tls.skipVerify;
  const agents = outsideAgents({ secureContext: secureContextOf(tls), rejectUnauthorized, direct: () => direct });
  onTestFinished(() => agents.close());
  return await text((await follow({ url: new URL(url) }, agents, AbortSignal.timeout(5000))).response);
}

test('a registry is believed by the CA that is named, or without any if that is wanted', async () => {
  const { port, caFile } = await privateRegistry();
  const url = `https://127.0.0.1:${port}/v2/`;
  expect(await ask(url, { caFile, skipVerify: false })).toBe(`127.0.0.1:${port} nobody`);
  expect(await ask(url, { skipVerify: true })).toBe(`127.0.0.1:${port} nobody`);
  await expect(ask(url, { skipVerify: false })).rejects.toThrow('unable to');
});

test('the certificate that is named is shown', async () => {
  const { port, caFile, client } = await privateRegistry();
  const tls = { caFile, certFile: client.certFile, keyFile: client.keyFile, skipVerify: false };
  expect(await ask(`https://127.0.0.1:${port}/v2/`, tls)).toBe(`127.0.0.1:${port} somebody`);
});

test('the proxy of the environment is asked for the connection, and sees no more than that', async () => {
  const { port, caFile } = await privateRegistry();
  const asked: unknown[] = [];
  const proxy = createHttpServer().on('connect', (request, socket) => {
    asked.push(request.url);
    const onward = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    for (const one of [onward, socket]) one.on('error', () => {});
  });
  vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${await portOf(proxy)}`);
  expect(await ask('https://registry.test:5000/v2/', { caFile, skipVerify: false })).toBe('registry.test:5000 nobody');
  expect(asked).toEqual(['registry.test:5000']);
});

test('what is the cluster’s own is asked without the proxy, and so is a range of NO_PROXY', async () => {
  const { port, caFile } = await privateRegistry();
  const url = `https://127.0.0.1:${port}/v2/`;
  const asked: unknown[] = [];
  const proxy = createHttpServer().on('connect', (request, socket) => {
    asked.push(request.url);
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${await portOf(proxy)}`);
  expect(await ask(url, { caFile, skipVerify: false })).toBe(`127.0.0.1:${port} nobody`);
  const away = (direct: readonly string[]) => ask('https://192.0.2.7:1/', { caFile, skipVerify: false }, direct);
  await expect(away([])).rejects.toThrow('403');
  expect(asked).toEqual(['192.0.2.7:1']);
  await expect(ask('https://registry.invalid/', { skipVerify: false }, ['.invalid'])).rejects.toThrow(
    /ENOTFOUND|EAI_AGAIN/,
  );
  vi.stubEnv('NO_PROXY', 'registry.invalid');
  await expect(ask('https://registry.invalid/', { skipVerify: false })).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/);
  expect(asked).toHaveLength(1);
});
