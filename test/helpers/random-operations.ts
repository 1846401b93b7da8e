/** Operations on a handful of keys, at random, so that they meet often. */
import fc from 'fast-check';
import type {
  Compare,
  DeleteRange,
  KeyRange,
  LeaseId,
  Operation,
  Put,
  RangeQuery,
  Revision,
  Txn,
} from '../../src/datastore/store/store.ts';
import { put, rangeOf, rangeQuery } from './store.ts';

const noLease = 0n as LeaseId;

export interface RandomOperations {
  readonly range: fc.Arbitrary<KeyRange>;
  readonly putOperation: fc.Arbitrary<Put>;
  readonly deleteOperation: fc.Arbitrary<DeleteRange>;
  readonly query: (revision: fc.Arbitrary<number>) => fc.Arbitrary<RangeQuery>;
  /** `depth`: how often a Txn may hold another. */
  readonly txn: (depth: number) => fc.Arbitrary<Txn>;
}

const keys = ['a', 'ab', 'b', 'ba', 'c', 'c\xff', 'd'];
const key = fc.constantFrom(...keys);
const range: fc.Arbitrary<KeyRange> = fc.oneof(
  { weight: 2, arbitrary: key.map((at) => rangeOf(at)) },
  fc.tuple(key, key).map(([from, to]) => rangeOf(from, to)),
  key.map((from) => rangeOf(from, '\0')),
);
const value = fc.constantFrom('', 'x', 'y', 'z'.repeat(300));

const deleteOf = (what: fc.Arbitrary<KeyRange>): fc.Arbitrary<DeleteRange> =>
  fc.record({ kind: fc.constant('deleteRange'), range: what, prevKv: fc.boolean() });
/** With an end above its beginning. */
const closedRange = fc.oneof(
  key.map((at) => rangeOf(at)),
  fc.tuple(key, key).map(([a, b]) => (a < b ? rangeOf(a, b) : a > b ? rangeOf(b, a) : rangeOf(a))),
);

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

export interface RandomOptions {
  /** What puts attach their keys to. */
  readonly leases?: readonly LeaseId[];
  /** Some puts keep the value or the lease that a key has. */
  readonly ignores?: boolean;
  /** Ranges that are deleted inside of a Txn have an end above their beginning. */
  readonly onlyClosedDeletes?: boolean;
}

export function randomOperations({
  leases = [noLease],
  ignores = false,
  onlyClosedDeletes = false,
}: RandomOptions = {}): RandomOperations {
  const deleteInTxn = deleteOf(onlyClosedDeletes ? closedRange : range);
  const kept = ignores ? fc.constantFrom('value', 'lease', '', '', '', '') : fc.constant('');
  const putOperation = fc
    .record({ key, value, prevKv: fc.boolean(), lease: fc.constantFrom(...leases), kept })
    .map(({ key: at, value: to, prevKv, lease, kept: what }) => {
      if (what === 'value') return put(at, '', { prevKv, lease, ignoreValue: true });
      return what === 'lease' ? put(at, to, { prevKv, ignoreLease: true }) : put(at, to, { prevKv, lease });
    });
  const operation = (depth: number): fc.Arbitrary<Operation> =>
    fc.oneof(
      { weight: 4, arbitrary: putOperation },
      { weight: 2, arbitrary: deleteInTxn },
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
  return { range, putOperation, deleteOperation: deleteOf(range), query, txn };
}
