import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createProbes, ProbeUnknownError } from '../../../../src/server/probe/probe.ts';
import { clusterSettings } from '../../../helpers/join-server.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
afterEach(() => void vi.useRealTimers());

async function opened() {
  const probes = createProbes({ version: '1', servers: { current: () => [] }, settings: clusterSettings });
  const id = randomUUID();
  await probes.open({ id, port: 9, mtu: 1500 }, { address: '127.0.0.1', localAddress: '127.0.0.1' });
  return { isThere: () => probes.seen(id, { address: '127.0.0.1' }) };
}

test('a test of the path is over some seconds after the last question about it, however long the asker takes for all', async () => {
  const { isThere } = await opened();
  for (let asked = 0; asked < 5; asked++) {
    vi.advanceTimersByTime(4000);
    isThere();
  }
  vi.advanceTimersByTime(5000);
  expect(isThere).toThrow(ProbeUnknownError);
});

test('who asks again and again keeps it for half a minute', async () => {
  const { isThere } = await opened();
  for (let asked = 0; asked < 8; asked++) {
    vi.advanceTimersByTime(4000);
    isThere();
  }
  vi.advanceTimersByTime(4000);
  expect(isThere).toThrow(ProbeUnknownError);
});
