import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import type { Endpoint, Registry } from '../../../../src/agent/registries/endpoints.ts';
import { Relay } from '../../../../src/agent/registries/relay.ts';
import { compileRewrite } from '../../../../src/agent/registries/rewrite.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import { Secret } from '../../../../src/shared/secret.ts';

async function listening(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const password = { kind: 'password', username: 'u', password: new Secret('p') } as const;
const basic = `Basic ${Buffer.from('u:p').toString('base64')}`;

/** Asks as containerd does, at what its hosts.toml would say. */
async function relayTo(endpoint: Partial<Endpoint>, name = 'images.example.org') {
  const mirror: Endpoint = {
    url: undefined,
    overridesPath: false,
    tls: { skipVerify: false },
    credentials: undefined,
    rewrites: [],
    ...endpoint,
  };
  const relay = new Relay({ log: silentLog, direct: () => [] });
  onTestFinished(() => relay.close());
  const itself: Endpoint = {
    ...mirror,
    url: new URL('https://images.example.org/v2'),
    credentials: undefined,
    rewrites: [],
  };
  const registry: Registry = { name, mirrors: [mirror], last: itself };
  const relayed = await relay.serve([registry]);
  const way = relayed(mirror);
  if (way === undefined) throw new Error('it is not relayed');
  expect(relayed(itself)).toBeUndefined();
  const [header, secret] = way.header;
  return {
    url: way.url,
    askAt: (url: string) => fetch(url, { headers: { [header]: secret } }),
    ask: (path: string, init: RequestInit = {}) =>
      fetch(`${way.url}${path}`, {
        ...init,
        headers: { [header]: secret, ...(init.headers as Record<string, string>) },
      }),
  };
}

function seen(request: IncomingMessage): string {
  return `${request.method} ${request.url} ${request.headers.authorization ?? 'nobody'}`;
}

test('a registry that wants Basic gets the password, and nobody asks twice once that is known', async () => {
  const requests: string[] = [];
  const url = await listening((request, response) => {
    requests.push(seen(request));
    if (request.headers.authorization === basic) return response.writeHead(200, { etag: 'x' }).end('manifest');
    return response.writeHead(401, { 'www-authenticate': 'Basic realm="images"' }).end();
  });
  const { ask } = await relayTo({ url: new URL(`${url}/v2`), credentials: password });
  const answer = await ask('/a/manifests/1?ns=images.example.org');
  expect([answer.status, await answer.text(), answer.headers.get('etag')]).toEqual([200, 'manifest', 'x']);
  expect((await ask('/a/blobs/sha256:1', { method: 'HEAD' })).status).toBe(200);
  expect(requests).toEqual([
    'GET /v2/a/manifests/1?ns=images.example.org nobody',
    `GET /v2/a/manifests/1?ns=images.example.org ${basic}`,
    `HEAD /v2/a/blobs/sha256:1 ${basic}`,
  ]);
});

test('a registry that wants a token gets one that the password buys, for the repository it asks for', async () => {
  const requests: string[] = [];
  const url = await listening((request, response) => {
    requests.push(seen(request));
    const asked = new URL(request.url ?? '', url);
    if (asked.pathname === '/token') return response.end(JSON.stringify({ token: 'T', expires_in: 300 }));
    if (request.headers.authorization === 'Bearer T') return response.end('blob');
    const challenge = `Bearer realm="${url}/token",service="images",scope="repository:x/a:pull"`;
    return response.writeHead(401, { 'www-authenticate': challenge }).end();
  });
  const rewrites = [await compileRewrite('^team/(.*)', 'x/$1')];
  const { ask } = await relayTo({ url: new URL(`${url}/v2`), credentials: password, rewrites });
  expect(await (await ask('/team/a/blobs/sha256:1')).text()).toBe('blob');
  expect(requests).toEqual([
    'GET /v2/x/a/blobs/sha256:1 nobody',
    `GET /token?service=images&scope=repository%3Ax%2Fa%3Apull ${basic}`,
    'GET /v2/x/a/blobs/sha256:1 Bearer T',
  ]);
});

test('an identity token is a refresh token', async () => {
  let form = '';
  const url = await listening((request, response) => {
    if (request.method === 'POST') {
      void text(request).then((body) => {
        form = body;
        response.end(JSON.stringify({ access_token: 'A' }));
      });
    } else if (request.headers.authorization === 'Bearer A') response.end('blob');
    else response.writeHead(401, { 'www-authenticate': `Bearer realm="${url}/token",service=images` }).end();
  });
  const credentials = { kind: 'identity-token', token: new Secret('I') } as const;
  const { ask } = await relayTo({ url: new URL(`${url}/v2`), credentials });
  expect(await (await ask('/a/manifests/1')).text()).toBe('blob');
  expect(form).toBe('grant_type=refresh_token&refresh_token=I&client_id=kagent&service=images');
});

test('a wrong password is the registry’s to refuse', async () => {
  const url = await listening((_, response) =>
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end(),
  );
  const { ask } = await relayTo({ url: new URL(`${url}/v2`), credentials: password });
  const answer = await ask('/a/manifests/1');
  expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="x"']);
});

test('what a pod’s pull secret gave containerd goes before the node’s password', async () => {
  const url = await listening((request, response) => response.end(request.headers.authorization));
  const { ask } = await relayTo({ url: new URL(`${url}/v2`), credentials: password });
  expect(await (await ask('/a/manifests/1', { headers: { authorization: 'Bearer pod' } })).text()).toBe('Bearer pod');
});

test('a redirect elsewhere is followed without the password', async () => {
  const storage = await listening((request, response) => response.end(seen(request)));
  const url = await listening((request, response) => {
    if (request.headers.authorization === undefined)
      return response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    return response.writeHead(307, { location: `${storage}/blob?signed=1` }).end();
  });
  const { ask } = await relayTo({ url: new URL(`${url}/v2`), credentials: password });
  expect(await (await ask('/a/blobs/sha256:1')).text()).toBe('GET /blob?signed=1 nobody');
});

test.each(['Basic realm="x"', 'Bearer realm="ELSEWHERE/token",service="x"'])(
  'what a redirect leads to gets no password, although it asks for one: %s',
  async (challenge) => {
    const requests: string[] = [];
    const elsewhere = await listening((request, response) => {
      requests.push(seen(request));
      response.writeHead(401, { 'www-authenticate': challenge.replace('ELSEWHERE', elsewhere) }).end();
    });
    const between = await listening((request, response) =>
      response.writeHead(307, { location: `${elsewhere}${request.url}` }).end(),
    );
    for (const target of [elsewhere, between]) {
      const url = await listening((request, response) =>
        response.writeHead(307, { location: `${target}${request.url}` }).end(),
      );
      const { ask } = await relayTo({ url: new URL(`${url}/v2`), credentials: password });
      const answer = await ask('/a/blobs/sha256:1');
      // Nor is containerd asked, which may have a pull secret for the registry.
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, null]);
    }
    expect(requests).toEqual(['GET /v2/a/blobs/sha256:1 nobody', 'GET /v2/a/blobs/sha256:1 nobody']);
  },
);

test('a redirect within the registry may ask for the password', async () => {
  const url = await listening((request, response) => {
    if (request.url === '/v2/a/manifests/1') return response.writeHead(307, { location: '/other' }).end();
    if (request.headers.authorization === basic) return response.end('manifest');
    return response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
  });
  const { ask } = await relayTo({ url: new URL(`${url}/v2`), credentials: password });
  expect(await (await ask('/a/manifests/1')).text()).toBe('manifest');
});

test('an answer about a token that has no end, and says no length, is given up', async () => {
  let sentBytes = 0;
  const url = await listening((request, response) => {
    if (!request.url?.startsWith('/token')) {
      return response.writeHead(401, { 'www-authenticate': `Bearer realm="${url}/token"` }).end();
    }
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(65_536))) sentBytes += 65_536;
    };
    response.on('drain', more);
    return more();
  });
  const { ask } = await relayTo({ url: new URL(`${url}/v2`), credentials: password });
  const answer = await ask('/a/manifests/1');
  expect([answer.status, await answer.text()]).toEqual([502, expect.stringContaining('the answer is over')]);
  expect(sentBytes).toBeLessThan(16 * 1024 * 1024);
});

test('nobody but containerd is served, and nothing is written', async () => {
  const url = await listening((_, response) => response.end('secret'));
  const { ask, url: relay } = await relayTo({ url: new URL(`${url}/v2`), credentials: password });
  expect((await fetch(`${relay}/a/manifests/1`)).status).toBe(403);
  expect((await ask('/a/blobs/uploads/', { method: 'POST' })).status).toBe(405);
});

test('a path that cannot be read ends that request alone, whoever sent it', async () => {
  const relay = await relayTo({
    url: new URL(`${await listening((_, response) => response.end('ok'))}/v2`),
    credentials: password,
  });
  const { origin } = new URL(relay.url);
  expect((await fetch(`${origin}/%zz/v2/`)).status).toBe(403);
  const ended = relay.askAt(`${origin}/%zz/v2/`).then(
    () => false,
    () => true,
  );
  expect(await ended).toBe(true);
  expect((await relay.ask('/a/manifests/1')).status).toBe(200);
});

test('a registry that is not there is named', async () => {
  const { ask } = await relayTo({ url: new URL('http://127.0.0.1:1/v2'), credentials: password });
  const answer = await ask('/a/manifests/1');
  expect([answer.status, await answer.text()]).toEqual([
    502,
    expect.stringContaining('127.0.0.1:1: connect ECONNREFUSED'),
  ]);
});

test('a star asks the registry that is in the image’s name, and tells it nothing of a mirror', async () => {
  const url = await listening((request, response) => response.end(seen(request)));
  const relay = new Relay({ log: silentLog, direct: () => [] });
  onTestFinished(() => relay.close());
  const last: Endpoint = {
    url: undefined,
    overridesPath: false,
    tls: { skipVerify: false },
    credentials: password,
    rewrites: [],
  };
  const way = (await relay.serve([{ name: '*', mirrors: [], last }]))(last);
  const host = new URL(url).host;
  const [header = '', secret = ''] = way?.header ?? [];
  const answer = await fetch(`${way?.url}/a/manifests/1?ns=${host}`, { headers: { [header]: secret } });
  expect(await answer.text()).toBe('GET /v2/a/manifests/1 nobody');
});
