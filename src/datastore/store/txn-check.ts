/** What etcd refuses before it looks at any key: the shape of a Txn. */
import { InvalidRequestError } from './errors.ts';
import { spanHas, spanOf } from './key-index.ts';
import type { Span } from './key-index.ts';
import { keyText } from './record.ts';
import type { Operation, Put, Txn } from './shapes.ts';

/** etcd's default for `--max-txn-ops`. */
const maxOperations = 128;

/** @throws {InvalidRequestError} */
export function checkTxn(txn: Txn): void {
  // kube-apiserver's Txns, and every plain Put, have one operation a branch: nothing in them can overlap.
  checkOperations(txn, maxOperations);
  if (txn.success.length > 1 || txn.success[0]?.kind === 'txn') collectWrites(txn.success);
  if (txn.failure.length > 1 || txn.failure[0]?.kind === 'txn') collectWrites(txn.failure);
}

export function checkKey(key: Uint8Array): void {
  if (key.length === 0) throw new InvalidRequestError('empty key');
}

function checkOperations(txn: Txn, allowed: number): void {
  const used = Math.max(txn.compare.length, txn.success.length, txn.failure.length);
  if (used > allowed) throw new InvalidRequestError('too many operations');
  for (const { range } of txn.compare) checkKey(range.key);
  for (const operation of txn.success) checkOperation(operation, allowed - used);
  for (const operation of txn.failure) checkOperation(operation, allowed - used);
}

function checkOperation(operation: Operation, allowed: number): void {
  switch (operation.kind) {
    case 'none':
      throw new InvalidRequestError('empty operation');
    case 'range':
    case 'deleteRange':
      return checkKey(operation.range.key);
    case 'put':
      return checkPut(operation);
    case 'txn':
      return checkOperations(operation, allowed);
  }
}

function checkPut(put: Put): void {
  checkKey(put.key);
  if (put.ignoreValue && put.value.length > 0) throw new InvalidRequestError('value given with ignore_value');
  if (put.ignoreLease && put.lease !== 0n) throw new InvalidRequestError('lease given with ignore_lease');
}

interface Writes {
  readonly puts: Set<string>;
  readonly deletes: Span[];
}

/**
 * One revision can hold a key once: no second put of it, and no put of what a delete of the same path covers.
 * The two branches of a nested Txn exclude each other, so they may put the same key.
 */
function collectWrites(operations: readonly Operation[]): Writes {
  const puts = new Set<string>();
  const deletes = operations.flatMap((operation) =>
    operation.kind === 'deleteRange' ? [spanOf(operation.range)] : [],
  );
  const add = (key: string, alternatives?: ReadonlySet<string>): void => {
    const isTwice = puts.has(key) && alternatives?.has(key) !== true;
    if (isTwice || deletes.some((span) => spanHas(span, key))) throw new InvalidRequestError('duplicate key');
    puts.add(key);
  };
  for (const operation of operations) {
    if (operation.kind !== 'txn') continue;
    const success = collectWrites(operation.success);
    const failure = collectWrites(operation.failure);
    for (const key of success.puts) add(key);
    for (const key of failure.puts) add(key, success.puts);
    deletes.push(...success.deletes, ...failure.deletes);
  }
  for (const operation of operations) if (operation.kind === 'put') add(keyText(operation.key));
  return { puts, deletes };
}
