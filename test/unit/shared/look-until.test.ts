import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { lookUntil } from '../../../src/shared/look-until.ts';

test('looks that take long are rare: what is waited for needs the processor', async () => {
  let [looks, lookingMs] = [0, 0];
  const startMs = performance.now();
  const answer = await lookUntil(
    async () => {
      const beganMs = performance.now();
      await delay(100);
      lookingMs += performance.now() - beganMs;
      return ++looks === 3 ? 'ready' : undefined;
    },
    { leastMs: 10, mostMs: 5000, timesLook: 9 },
    AbortSignal.timeout(20_000),
  );
  expect(answer).toBe('ready');
  expect(performance.now() - startMs).toBeGreaterThan(6 * lookingMs); // after the last look there is no pause
});

test('a signal ends the looking', async () => {
  const looking = lookUntil(async () => undefined, { leastMs: 10, mostMs: 10, timesLook: 1 }, AbortSignal.timeout(50));
  await expect(looking).rejects.toMatchObject({ name: 'AbortError' });
});
