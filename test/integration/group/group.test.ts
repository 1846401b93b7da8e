import { test } from 'vitest';
import { expectGoTestsToPass } from '../../helpers/kubernetes-module.ts';

// oxlint-disable-next-line vitest/expect-expect -- the helper expects
test('what runs several programs in one process does what its tests say', { timeout: 900_000 }, async () => {
  await expectGoTestsToPass('group');
});
