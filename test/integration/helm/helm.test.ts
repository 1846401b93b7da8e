import { test } from 'vitest';
import { expectGoTestsToPass } from '../../helpers/kubernetes-module.ts';

// oxlint-disable-next-line vitest/expect-expect -- the helper expects
test('what is due of a release, and what its values are, is as its tests say', { timeout: 900_000 }, async () => {
  await expectGoTestsToPass('helm');
});
