import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { certificateTimer } from '../../../../src/shared/certificates/certificates.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('certificates are renewed twice a day, and at once when the names in them change', async () => {
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
  expect(renewals).toBe(0);
  names = ['10.0.0.2', '10.0.0.1']; // in another order
  await vi.advanceTimersByTimeAsync(60_000);
  expect(renewals).toBe(0);
  names = ['10.0.0.1'];
  await vi.advanceTimersByTimeAsync(60_000);
  expect(renewals).toBe(1);
  await vi.advanceTimersByTimeAsync(12 * 60 * 60 * 1000);
  expect(renewals).toBe(2);
  await timer.stop();
  names = [];
  await vi.advanceTimersByTimeAsync(60_000);
  expect(renewals).toBe(2);
});
