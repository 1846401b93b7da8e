import { expect, test } from 'vitest';
import { parseDuration } from '../../../src/shared/duration.ts';

test.each([
  ['10m', 600_000],
  ['10m0s', 600_000],
  ['1h30m', 5_400_000],
  ['500ms', 500],
  ['1.5s', 1500],
  ['1d', 86_400_000],
  ['365d', 365 * 86_400_000],
])('%s is %d milliseconds', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(['', '10', 'm', '-1s', '1w', '1s and more'])('"%s" is no time span', (text) => {
  expect(parseDuration(text)).toBeUndefined();
});
