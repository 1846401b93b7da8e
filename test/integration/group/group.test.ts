import { expect, test } from 'vitest';
import { goTests } from '../../helpers/go-tests.ts';

test('what runs several programs in one process does what its tests say', { timeout: 900_000 }, async () => {
  const { status, output } = await goTests('kubernetes', './group');
  expect(output).toMatch(/^ok\s+kagent\.sh\/components\/kubernetes\/group\b/m);
  expect(status).toBe(0);
});
