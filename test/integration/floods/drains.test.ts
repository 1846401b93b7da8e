/** A node that asks again and again to be drained is no work, and no error of the server's. */
import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { join } from '../../../src/agent/membership/membership.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import type { Log } from '../../../src/shared/log/log.ts';
import { joinServer, nodeJoin } from '../../helpers/join-server.ts';
import { eventually } from '../../helpers/wait.ts';

/** A server whose pods take long to end, and a node that asks. */
async function server() {
  const errors: string[] = [];
  const drains = { begun: 0, running: 0, most: 0 };
  const log: Log = { ...silentLog, error: (message) => errors.push(message) };
  const nodes = {
    connect: () => Promise.resolve(undefined),
    async drain(_name: string, _request: unknown, signal: AbortSignal) {
      drains.begun += 1;
      drains.running += 1;
      drains.most = Math.max(drains.most, drains.running);
      await delay(60_000, undefined, { signal }).finally(() => (drains.running -= 1));
      return { done: true, moved: 0, left: [] };
    },
  };
  const server = await joinServer({ api: { log, nodes } });
  const { url } = server;
  const { files } = await join(nodeJoin(server, { nodeName: 'a' }), new AbortController().signal);
  const { certPath, keyPath } = files.pairs.kubelet;
  const [ca, cert, key] = [files.serverCa, certPath, keyPath].map((path) => readFileSync(path));
  const ask = (): ClientRequest => {
    const credentials = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
    const asked = request(`${url}/v1/drain`, { ...credentials, method: 'POST', agent: false });
    asked.on('error', () => {});
    asked.end('{"run":"one","timeoutMs":60000}');
    onTestFinished(() => void asked.destroy());
    return asked;
  };
  return { ask, errors, drains };
}

test('drains that are asked for at once are one', async () => {
  const { ask, drains } = await server();
  ask();
  await eventually(() => drains.running === 1);
  const codes = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const [response] = (await once(ask(), 'response')) as [IncomingMessage];
      return (JSON.parse(await text(response)) as { readonly code: string }).code;
    }),
  );
  expect(new Set(codes)).toEqual(new Set(['API_DRAIN_BUSY']));
  expect(drains.begun).toBe(1);
});

test('fifty drains, each given up at once, begin a few times and log no error', async () => {
  const { ask, errors, drains } = await server();
  for (let index = 0; index < 50; index++) {
    const asked = ask();
    const begun = drains.begun;
    await Promise.race([once(asked, 'response'), eventually(() => drains.begun > begun)]).catch(() => {});
    asked.destroy();
    await eventually(() => drains.running === 0);
  }
  expect(drains.begun).toBeGreaterThan(1);
  expect(drains.begun).toBeLessThan(10);
  expect(errors).toEqual([]);
});
