/** The store against a model of it, step by step, under random operations. */
import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { randomOperations } from '../../../helpers/random-operations.ts';
import { StoreRun } from '../../../helpers/store-run.ts';
import type { Step } from '../../../helpers/store-run.ts';
import { keyOf, openTestStore, rangeQuery, txnOf } from '../../../helpers/store.ts';

const { range, query, putOperation, txn } = randomOperations();

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('txns' as const),
      txns: fc.array(
        fc.oneof(
          txn(1),
          putOperation.map((one) => txnOf(one)),
        ),
        { minLength: 1, maxLength: 6 },
      ),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('range' as const), query: query(fc.nat({ max: 30 })) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compact' as const), back: fc.integer({ min: -1, max: 5 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('watch' as const),
      range,
      back: fc.integer({ min: -2, max: 9 }),
      isSlow: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
);

test('the store answers, tells and remembers as the model does', { timeout: 3_600_000 }, async () => {
  const compared = fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      const dir = mkdtempSync(join(tmpdir(), 'kagent-test-'));
      const run = await StoreRun.begin(dir);
      try {
        for (const one of steps) await run.take(one);
        await run.finish();
      } finally {
        await run.store.close();
        rmSync(dir, { recursive: true, force: true });
      }
    }),
    { numRuns: Number(process.env['KAGENT_TEST_RUNS'] ?? 40) },
  );
  await expect(compared).resolves.toBeUndefined();
});

test('a store that nobody wrote to begins at revision 1', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'kagent-test-'));
  const store = await openTestStore(dir);
  expect((await store.range(rangeQuery({ key: keyOf('a') }))).revision).toBe(1);
  await store.close();
  rmSync(dir, { recursive: true, force: true });
});
