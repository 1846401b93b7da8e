/** The store against a model of it, step by step, under random operations. */
import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Compare, KeyRange, Operation, RangeQuery, Revision, Txn } from '../../../../src/server/store/store.ts';
import { StoreRun } from '../../../helpers/store-run.ts';
import type { Step } from '../../../helpers/store-run.ts';
import { keyOf, openTestStore, put, rangeOf, rangeQuery, txnOf } from '../../../helpers/store.ts';

const keys = ['a', 'ab', 'b', 'ba', 'c', 'c\xff', 'd'];
const key = fc.constantFrom(...keys);
const range: fc.Arbitrary<KeyRange> = fc.oneof(
  { weight: 2, arbitrary: key.map((at) => rangeOf(at)) },
  fc.tuple(key, key).map(([from, to]) => rangeOf(from, to)),
  key.map((from) => rangeOf(from, '\0')),
);
const value = fc.constantFrom('', 'x', 'y', 'z'.repeat(300));

const putOperation = fc
  .record({ key, value, prevKv: fc.boolean() })
  .map(({ key: at, value: to, prevKv }) => put(at, to, { prevKv }));
const deleteOperation = fc
  .record({ range, prevKv: fc.boolean() })
  .map((options) => ({ kind: 'deleteRange', ...options }) as const);
const query = (revision: fc.Arbitrary<number>): fc.Arbitrary<RangeQuery> =>
  fc
    .record({
      range,
      revision,
      limit: fc.constantFrom(0, 0, 1, 2),
      // A limit without an order cuts before it sorts, which the conformance suite looks at.
      sortOrder: fc.constantFrom('ascend', 'descend'),
      sortTarget: fc.constantFrom('key', 'version', 'create', 'mod', 'value'),
      keysOnly: fc.boolean(),
      countOnly: fc.boolean(),
      minModRevision: fc.constantFrom(0, 0, 3),
      maxModRevision: fc.constantFrom(0, 0, 9),
    })
    .map(({ range: of, revision: at, ...rest }) => rangeQuery(of, { revision: at as Revision, ...rest }) as RangeQuery);
const compare: fc.Arbitrary<Compare> = fc.record({
  range,
  target: fc.constantFrom('version', 'create', 'mod', 'value', 'lease'),
  result: fc.constantFrom('equal', 'greater', 'less', 'notEqual'),
  value: value.map((text) => Buffer.from(text)),
  number: fc.bigInt({ min: 0n, max: 6n }),
});
const operation = (depth: number): fc.Arbitrary<Operation> =>
  fc.oneof(
    { weight: 4, arbitrary: putOperation },
    { weight: 2, arbitrary: deleteOperation },
    { weight: 1, arbitrary: query(fc.constant(0)) },
    ...(depth > 0 ? [{ weight: 1, arbitrary: txn(depth - 1) }] : []),
  );
const txn = (depth: number): fc.Arbitrary<Txn> =>
  fc.record({
    kind: fc.constant('txn'),
    compare: fc.array(compare, { maxLength: 2 }),
    success: fc.array(operation(depth), { maxLength: 3 }),
    failure: fc.array(operation(depth), { maxLength: 2 }),
  });

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
