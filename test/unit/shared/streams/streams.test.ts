import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { dial, joinStreams } from '../../../../src/shared/streams/streams.ts';

/** Two ends of one TCP connection. */
async function pair(): Promise<{ readonly here: Socket; readonly there: Socket }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const here = await dial({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, withinMs: 1000 });
  const [there] = await accepted;
  onTestFinished(() => {
    here.destroy();
    there.destroy();
    server.close();
  });
  return { here, there };
}

/** `left` and `right` speak with each other through a join in the middle. */
async function joined() {
  const [a, b] = await Promise.all([pair(), pair()]);
  return { left: a.here, right: b.here, done: joinStreams(a.there, b.there) };
}

test('both directions carry what is said, to the last byte', async () => {
  const { left, right, done } = await joined();
  const sent = Buffer.alloc(3_000_000, 'x');
  const received: Buffer[] = [];
  right.on('data', (bytes: Buffer) => received.push(bytes));
  right.write('hello');
  expect(String(((await once(left, 'data')) as [Buffer])[0])).toBe('hello');
  left.end(sent);
  await once(right, 'end');
  expect(Buffer.concat(received).equals(sent)).toBe(true);
  right.end();
  await done;
});

test('when one end breaks off so does the other', async () => {
  const { left, right, done } = await joined();
  left.on('error', () => {});
  const closed = once(right, 'close');
  right.on('error', () => {});
  left.resetAndDestroy();
  await closed;
  await expect(done).resolves.toBeUndefined();
});
