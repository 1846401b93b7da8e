import { expect, test } from 'vitest';
import { sameSet } from '../../../src/shared/same-set.ts';

test('lists with the same members are the same set, in whatever order and however often', () => {
  expect(sameSet(['a', 'b', 'a'], ['b', 'a'])).toBe(true);
  expect(sameSet(['a', 'a'], ['a', 'b'])).toBe(false);
  expect(sameSet([], ['a'])).toBe(false);
});
