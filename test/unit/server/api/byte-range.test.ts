import { expect, test } from 'vitest';
import { byteRange } from '../../../../src/server/api/byte-range.ts';

test.each([
  ['bytes=0-', { start: 0, end: 99 }],
  ['bytes=40-', { start: 40, end: 99 }],
  ['bytes=40-49', { start: 40, end: 49 }],
  ['bytes=40-400', { start: 40, end: 99 }],
  ['bytes=-10', { start: 90, end: 99 }],
  ['bytes=-400', { start: 0, end: 99 }],
])('%s is a part of a hundred bytes', (header, expected) => {
  expect(byteRange(header, 100)).toEqual(expected);
});

test.each(['bytes=100-', 'bytes=-0'])('%s is no part of a hundred bytes', (header) => {
  expect(byteRange(header, 100)).toBe('unsatisfiable');
});

test.each([undefined, '', 'bytes=-', 'bytes=5-3', 'bytes=0-1,5-6', 'lines=1-2'])('%s asks for the whole', (header) => {
  expect(byteRange(header, 100)).toBeUndefined();
});
