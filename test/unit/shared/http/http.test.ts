import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { follow, httpRequest, openHttp, outsideAgents, SilentError, textOf } from '../../../../src/shared/http/http.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

async function serve(answer: RequestListener, at: string | number = 0): Promise<string> {
  const server = createServer(answer).listen(at);
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return typeof at === 'string' ? at : `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function agents() {
  const made = outsideAgents({
    secureContext: createSecureContext(),
    rejectUnauthorized: true,
    direct: () => ['127.0.0.1'],
  });
  onTestFinished(() => made.close());
  return made;
}

const soon = () => AbortSignal.timeout(5000);

test('what is sent arrives byte by byte, with its length, and the whole answer comes back', async () => {
  const url = await serve(({ method, headers }, response) => {
    response.writeHead(201, { 'x-kind': String(headers['x-kind']) });
    response.write(`${method} ${headers['content-length']} `);
    response.req.pipe(response);
  });
  const request = { url, method: 'DELETE', headers: { 'x-kind': 'a' }, body: 'häuser', agent: false } as const;
  const reply = await httpRequest({ ...request, timeoutMs: 5000 });
  expect(reply).toMatchObject({ status: 201, body: 'DELETE 7 häuser' });
  expect(reply.headers['x-kind']).toBe('a');
});

test('who listens on a socket file is asked there', async () => {
  const socketPath = await serve((request, response) => response.end(request.url), join(temporaryDir(), 's'));
  const request = { url: 'http://localhost/status', socketPath, agent: false } as const;
  expect((await httpRequest(request, soon())).body).toBe('/status');
});

test('an answer that does not come, or does not end, is given up with the reason', async () => {
  const url = await serve((request, response) => {
    if (request.url === '/begins') response.write('a');
  });
  const deadline = httpRequest({ url, agent: false, timeoutMs: 50 });
  await expect(deadline).rejects.toMatchObject({ name: 'TimeoutError' });
  const unwanted = httpRequest({ url, agent: false }, AbortSignal.abort(new Error('not wanted')));
  await expect(unwanted).rejects.toThrow('not wanted');
  const silent = httpRequest({ url, agent: false, silenceMs: 50 }, soon());
  await expect(silent).rejects.toThrow(/^127\.0\.0\.1:\d+ sent nothing for 0\.05 s$/);
  const begun = await openHttp({ url: `${url}/begins`, agent: false, silenceMs: 50 }, soon());
  await expect(textOf(begun)).rejects.toThrow(SilentError);
});

test('an answer without end is closed at its limit', async () => {
  const closed = Promise.withResolvers<void>();
  const url = await serve((_, response) => {
    response.once('close', closed.resolve);
    response.on('drain', () => response.write('x'.repeat(1000)));
    response.write('x'.repeat(100_000));
  });
  const response = await openHttp({ url, agent: false }, soon());
  await expect(textOf(response, 10_000)).rejects.toThrow('the answer is over 10000 bytes');
  await closed.promise;
});

test('redirects are followed, and who asks is shown to the one origin that was asked', async () => {
  const seen: unknown[] = [];
  const other = await serve((request, response) => {
    seen.push(['other', request.headers.authorization, request.headers.accept]);
    response.end('here');
  });
  const url = await serve((request, response) => {
    seen.push([request.url, request.headers.authorization, request.headers.accept]);
    response.writeHead(307, { location: request.url === '/first' ? 'second' : other }).end();
  });
  const headers = { authorization: 'Basic x', accept: 'text/plain' };
  const { response, origin } = await follow({ url: new URL(`${url}/first`), headers }, agents(), soon());
  expect([await textOf(response), origin]).toEqual(['here', other]);
  expect(seen).toEqual([
    ['/first', 'Basic x', 'text/plain'],
    ['/second', 'Basic x', 'text/plain'],
    ['other', undefined, 'text/plain'],
  ]);
});

test('a circle of redirects ends with one of them, and what has a body follows none', async () => {
  let count = 0;
  const url = await serve((_, response) => {
    count += 1;
    response.writeHead(302, { location: '/' }).end();
  });
  const { response } = await follow({ url: new URL(url) }, agents(), soon());
  expect([response.statusCode, count]).toEqual([302, 6]);
  await follow({ url: new URL(url), method: 'POST', body: 'x' }, agents(), soon());
  expect(count).toBe(7);
});
