import { expect, test } from 'vitest';
import { Rate } from '../../../../src/shared/rate/rate.ts';
import { fakeClock } from '../../../helpers/clock.ts';

test('some at once, then so many a second, each for himself', () => {
  const clock = fakeClock();
  const rate = new Rate({ burst: 3, perSecond: 0.5 }, clock);
  const taken = (holder: string) => [1, 2, 3, 4, 5].map(() => rate.take(holder));
  expect(taken('a')).toEqual([true, true, true, false, false]);
  clock.advance(2000);
  expect(taken('a')).toEqual([true, false, false, false, false]);
  expect(taken('b')).toEqual([true, true, true, false, false]);
});
