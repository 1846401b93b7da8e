import { expect, test } from 'vitest';
import { Shares } from '../../../../src/server/api/shares.ts';

test('what is shared is counted by holder, and the oldest of the largest goes first', () => {
  const shares = new Shares<number>();
  for (const [holder, item] of [
    ['a', 1],
    ['b', 2],
    ['b', 3],
    ['c', 4],
    ['c', 5],
  ] as const)
    shares.add(holder, item);
  expect(shares.largest()).toBe('b');
  expect(shares.takeOldest('b')).toBe(2);
  expect(shares.largest()).toBe('c');
  expect([shares.size, shares.of('a'), shares.of('b'), shares.of('d')]).toEqual([4, 1, 1, 0]);
  expect([shares.delete('a', 1), shares.delete('a', 1)]).toEqual([true, false]);
  expect([shares.size, shares.of('a')]).toEqual([3, 0]);
  expect(shares.takeOldest('a')).toBeUndefined();
});
