import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { certificateTimer } from '../../../../src/shared/certificates/certificates.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('certificates are looked at a minute after the start, each hour, and at once when the names in them change', async () => {
  let names = ['10.0.0.1', '10.0.0.2'];
  let renewals = 0;
  const timer = certificateTimer({
    name: 'certificates',
    after: [],
    log: silentLog,
    names: () => names,
    renew: async () => [String(++renewals)],
  });
  await timer.start(new AbortController().signal);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(renewals).toBe(1);
  names = ['10.0.0.2', '10.0.0.1']; // in another order
  await vi.advanceTimersByTimeAsync(60_000);
  expect(renewals).toBe(1);
  names = ['10.0.0.1'];
  await vi.advanceTimersByTimeAsync(60_000);
  expect(renewals).toBe(2);
  await vi.advanceTimersByTimeAsync(60 * 60 * 1000);
  expect(renewals).toBe(3);
  await timer.stop();
  names = [];
  await vi.advanceTimersByTimeAsync(2 * 60 * 60 * 1000);
  expect(renewals).toBe(3);
});

test('a server that was away is asked each minute until it answers', async () => {
  let isAway = true;
  let asked = 0;
  const timer = certificateTimer({
    name: 'certificates',
    after: [],
    log: silentLog,
    async renew() {
      asked += 1;
      if (isAway) throw new Error('no answer');
      return [];
    },
  });
  await timer.start(new AbortController().signal);
  await vi.advanceTimersByTimeAsync(3 * 60_000);
  expect([asked, timer.health?.().status]).toEqual([3, 'False']);
  isAway = false;
  await vi.advanceTimersByTimeAsync(10 * 60_000);
  expect([asked, timer.health?.().status]).toEqual([4, 'True']);
  await timer.stop();
});
