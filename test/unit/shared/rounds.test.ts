import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { rounds, untilNextRound } from '../../../src/shared/rounds.ts';

beforeEach(() => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
});

test('what began at any time is done at multiples of its period, in one moment with what has a part of it', async () => {
  const done: string[] = [];
  const note = (what: string) => async () => void done.push(`${what} ${performance.now() - beginMs}`);
  const beginMs = performance.now() - (performance.now() % 4000);
  const [slow, quick] = [rounds(4000, note('slow')), rounds(2000, note('quick'))];
  await vi.advanceTimersByTimeAsync(100);
  quick.start();
  await vi.advanceTimersByTimeAsync(1200);
  slow.start();
  await vi.advanceTimersByTimeAsync(9000);
  await Promise.all([slow.stop(), quick.stop()]);
  expect(done).toEqual(['quick 2001', 'quick 4001', 'quick 6001', 'slow 8001', 'quick 8001', 'quick 10001']);
  await vi.advanceTimersByTimeAsync(9000);
  expect(done).toHaveLength(6);
});

test('two looks are never much closer than the period, and the next one may be soon for who wants it soon', () => {
  expect(untilNextRound(2000, undefined, 1900)).toBe(2101);
  expect(untilNextRound(2000, undefined, 2001)).toBe(2000);
  expect(untilNextRound(4000, 0, 3999)).toBe(2);
  expect(untilNextRound(4000, 0, 4001)).toBe(4000);
});

test('work that takes long is not begun a second time, and a stop waits for it', async () => {
  const work = Promise.withResolvers<void>();
  let begun = 0;
  const one = rounds(1000, () => {
    begun += 1;
    return work.promise;
  });
  one.start();
  await vi.advanceTimersByTimeAsync(5000);
  expect(begun).toBe(1);
  let isStopped = false;
  const stopped = one.stop().then(() => (isStopped = true));
  await vi.advanceTimersByTimeAsync(100);
  expect(isStopped).toBe(false);
  work.resolve();
  await stopped;
});
