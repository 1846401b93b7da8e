import { expect, test } from 'vitest';
import { testGo } from '../../helpers/go-test.ts';

test('what runs several programs in one process does what its tests say', { timeout: 900_000 }, async () => {
  expect(await testGo('kubernetes', 'group')).toBe('ok');
});
