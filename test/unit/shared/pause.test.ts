import { expect, test } from 'vitest';
import { pause } from '../../../src/shared/pause.ts';

test('a pause ends when its signal does, without an error', async () => {
  const stopping = new AbortController();
  const paused = pause(60_000, stopping.signal);
  stopping.abort();
  expect(await paused).toBeUndefined();
  expect(await pause(60_000, stopping.signal)).toBeUndefined();
});
