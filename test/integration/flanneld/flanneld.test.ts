import { expect, test } from 'vitest';
import { testGo } from '../../helpers/go-test.ts';

test("flanneld's own parts do what their tests say", { timeout: 900_000 }, async () => {
  expect(await testGo('kubernetes', 'flanneld')).toBe('ok');
});
