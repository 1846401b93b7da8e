/** A datastore that somebody else keeps, as a server sees it: a real one comes, goes and hangs. */
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { externalDatastore } from '../../../src/datastore/external/external.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { startKagent } from '../../helpers/etcd-servers.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';

const timing = { everyMs: 50, retryMs: 50, withinMs: 300 };

function datastoreAt(address: string, isUsed = false) {
  const used: string[] = [];
  const component = externalDatastore({
    endpoints: { addresses: [address] },
    name: 'etcd at db.example',
    after: [],
    isUsed,
    onUsed: () => used.push('used'),
    log: silentLog,
    timing,
  });
  onTestFinished(() => component.stop());
  const start = () => component.start(new AbortController().signal);
  return { component, used, start, health: () => component.health() };
}

test('it is waited for, is not answering when it is gone, and answers again', async () => {
  const dir = temporaryDir();
  const { start, health, component } = datastoreAt(`unix://${join(dir, 'store.sock')}`);
  const started = start();
  await eventually(() => health().reason === 'NotAnswering');
  expect(health().message).toMatch(
    /^the datastore, etcd at db\.example, does not answer: .*ENOENT.*; see whether it runs/,
  );
  const first = await startKagent(dir);
  await started;
  expect(health()).toMatchObject({ status: 'True', reason: 'Serving' });
  await first.stop();
  await eventually(() => health().status === 'False');
  const second = await startKagent(dir);
  onTestFinished(() => second.stop());
  await eventually(() => health().status === 'True');
  await component.keys.put('/kagent/a', 'b');
  expect(await component.keys.get('/kagent/a')).toBe('b');
});

test('one that takes connections and says nothing is not answering', async () => {
  const path = join(temporaryDir(), 'silent.sock');
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => sockets.add(socket.on('error', () => {})));
  silent.listen(path);
  await once(silent, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    silent.close();
    await once(silent, 'close');
  });
  const { component, health } = datastoreAt(`unix://${path}`);
  const ending = new AbortController();
  const started = component.start(ending.signal);
  await eventually(() => health().message.includes('no answer within 0.3 s'));
  ending.abort();
  await expect(started).rejects.toThrow('aborted');
});

test('an empty one is refused where there was a cluster before; one with a cluster is told', async () => {
  const dir = temporaryDir();
  const server = await startKagent(dir);
  onTestFinished(() => server.stop());
  const before = datastoreAt(server.address, true);
  await expect(before.start()).rejects.toThrow(
    'the datastore, etcd at db.example, is empty, and this server had a cluster in one; say where its data is now',
  );
  expect(before.health().reason).toBe('Failed');
  const first = datastoreAt(server.address);
  await first.start();
  expect(first.used).toEqual([]);
  await first.component.keys.put('/kagent/cluster', '{}');
  await eventually(() => first.used.length > 0);
  await datastoreAt(server.address, true).start();
  expect(first.used).toEqual(['used']);
});
