import { expect, onTestFinished, test, vi } from 'vitest';
import { giveBufferBack, takeBuffer } from '../../../../src/shared/protobuf/buffer-pool.ts';

test('a large buffer serves again, and is forgotten when nobody has wanted one for a while', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const first = takeBuffer(100_000);
  expect(first).toHaveLength(131_072);
  giveBufferBack(first);
  const again = takeBuffer(131_072);
  expect(again).toBe(first);
  giveBufferBack(again);
  await vi.advanceTimersByTimeAsync(6000); // wanted within the last five seconds
  const still = takeBuffer(70_000);
  expect(still).toBe(first);
  giveBufferBack(still);
  await vi.advanceTimersByTimeAsync(11_000);
  expect(takeBuffer(70_000)).not.toBe(first);
});
