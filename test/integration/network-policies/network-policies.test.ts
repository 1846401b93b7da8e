import { expect, test } from 'vitest';
import { testGo } from '../../helpers/go-test.ts';

test('what enforces network policies does what its tests say, on this kernel', { timeout: 900_000 }, async () => {
  expect(await testGo('kubernetes', 'networkpolicies')).toBe('ok');
});

test('the CNI plugin of network policies does what its tests say', { timeout: 600_000 }, async () => {
  expect(await testGo('cni', 'networkpolicies')).toBe('ok');
});
