import * as timers from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { lookUntil } from '../../../src/shared/look-until.ts';

vi.mock('node:timers/promises', { spy: true });

test('looks that take long are rare: what is waited for needs the processor; one long look alone may have waited itself', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const pauses: unknown[] = [];
  vi.mocked(timers.setTimeout).mockImplementation((ms) => Promise.resolve(void pauses.push(ms)) as never);
  onTestFinished(() => vi.mocked(timers.setTimeout).mockRestore());
  const looksMs = [100, 100, 1, 1000, 1000, 0];
  const answer = await lookUntil(
    async () => {
      vi.advanceTimersByTime(looksMs.shift() ?? 0);
      return looksMs.length === 0 ? 'ready' : undefined;
    },
    { leastMs: 10, mostMs: 5000, timesLook: 9 },
    new AbortController().signal,
  );
  expect(answer).toBe('ready');
  expect(pauses).toEqual([10, 900, 10, 10, 5000]); // after the last look there is none
});

test('a signal ends the looking', async () => {
  const looking = lookUntil(async () => undefined, { leastMs: 10, mostMs: 10, timesLook: 1 }, AbortSignal.timeout(50));
  await expect(looking).rejects.toMatchObject({ name: 'AbortError' });
});
