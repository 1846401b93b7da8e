import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { healthz } from '../../../../src/agent/node/healthz.ts';

async function serving(status: number) {
  const server = createServer((request, response) =>
    response.writeHead(request.url === '/healthz' ? status : 404).end(),
  );
  server.listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

const signal = new AbortController().signal;

test('healthy is the status 200 and nothing else', async () => {
  await expect(healthz(await serving(200), signal)).resolves.toBeUndefined();
  await expect(healthz(await serving(503), signal)).rejects.toThrow('healthz answered 503');
});

test('nobody there is not healthy', async () => {
  await expect(healthz({ host: '127.0.0.1', port: 1 }, signal)).rejects.toThrow('ECONNREFUSED');
});
