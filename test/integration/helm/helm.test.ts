import { expect, test } from 'vitest';
import { testGo } from '../../helpers/go-test.ts';

test('what is due of a release, and what its values are, is as its tests say', { timeout: 900_000 }, async () => {
  expect(await testGo('kubernetes', 'helm')).toBe('ok');
});
