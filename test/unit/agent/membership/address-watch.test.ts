import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { addressWatch } from '../../../../src/agent/membership/membership.ts';
import type { NodeAddress } from '../../../../src/host/checks/checks.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const at = (nodeIp: string): NodeAddress => ({ nodeIp, defaultInterface: 'eth0' });

/** Looks once for each of `looks`: an address, or that there is none. */
async function watched(looks: readonly (string | undefined)[], onChange: () => Promise<void> = async () => {}) {
  const told: string[] = [];
  let next = 0;
  const watch = addressWatch({
    after: [],
    present: at('10.0.0.1'),
    look: () => {
      const address = looks[Math.min(next++, looks.length - 1)];
      return address === undefined ? Promise.reject(new Error('no address')) : Promise.resolve(at(address));
    },
    onChange: async (address) => {
      told.push(address.nodeIp);
      await onChange();
    },
    log: silentLog,
  });
  await watch.start(new AbortController().signal);
  await vi.advanceTimersByTimeAsync(5000 * looks.length + 100);
  await watch.stop();
  return { told, health: watch.health() };
}

test('another address is told when it was seen twice', async () => {
  expect((await watched(['10.0.0.1', '10.0.0.2', '10.0.0.2', '10.0.0.2'])).told).toEqual(['10.0.0.2']);
});

test('one that comes and goes, and none at all, are not told', async () => {
  expect((await watched(['10.0.0.2', '10.0.0.1', '10.0.0.3', undefined, undefined])).told).toEqual([]);
});

test('what could not be announced is tried again, and shown as such meanwhile', async () => {
  const { told, health } = await watched(['10.0.0.2', '10.0.0.2', '10.0.0.2'], () =>
    Promise.reject(new Error('no server')),
  );
  expect(told).toEqual(['10.0.0.2', '10.0.0.2']);
  expect(health).toMatchObject({ status: 'False', reason: 'NotAnnounced', message: 'no server' });
});
