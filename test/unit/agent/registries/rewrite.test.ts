import { expect, test } from 'vitest';
import { compileRewrite } from '../../../../src/agent/registries/rewrite.ts';
import { refusedPatterns, rewriteTable, unknownPatterns } from '../../../helpers/rewrites.ts';

test.each(rewriteTable)('%s → %s makes of %s what Go does: %s', async (pattern, replacement, repository, result) => {
  expect((await compileRewrite(pattern, replacement)).apply(repository)).toBe(result);
});

test.each([...refusedPatterns, ...unknownPatterns])(
  'a pattern that is not known is refused in words: %s',
  async (pattern) => {
    await expect(compileRewrite(pattern, 'x')).rejects.toThrow(/^error parsing regexp: .+/);
  },
);

test('no pattern takes longer than its text is long: one that would go back and forth for ever ends', async () => {
  const rewrite = await compileRewrite('^(a+)+$', 'x');
  const name = `${'a'.repeat(10_000)}b`;
  expect(rewrite.apply(name)).toBe(name);
});
