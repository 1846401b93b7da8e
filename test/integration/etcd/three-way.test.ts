/** Random operations sent to kagent, to a real etcd and to a small model of both: every answer, revision and event is the same. */
import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EtcdCallError } from '../../../src/datastore/client/errors.ts';
import type { OperationRequest, RangeRequest, TxnRequest } from '../../helpers/etcd-requests.ts';
import type { OperationResponse, WatchEventMessage } from '../../helpers/etcd-responses.ts';
import type { KeyRange, KeyValue, LeaseId, Operation, RangeQuery, Txn } from '../../../src/datastore/store/store.ts';
import { TestClient } from '../../helpers/etcd-client.ts';
import type { TestWatchStream } from '../../helpers/etcd-client.ts';
import { etcds } from '../../helpers/etcd-servers.ts';
import type { TestServer } from '../../helpers/etcd-servers.ts';
import { randomOperations } from '../../helpers/random-operations.ts';
import { StoreModel, textOf } from '../../helpers/store-model.ts';

const leases = [11n, 12n] as const;
/** After so many steps every watch must have told what it should, and ends. */
const roundSteps = 40;
const stepCount = Number(process.env['KAGENT_TEST_STEPS'] ?? 1200);

let dir: string;
const servers: TestServer[] = [];
const clients: TestClient[] = [];
const model = new StoreModel();

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'kagent-test-'));
  for (const [name, start] of etcds) {
    const server = await start(join(dir, name));
    servers.push(server);
    clients.push(new TestClient(server.address));
  }
  for (const lease of leases) await both((client) => client.grant(3600, lease));
});
afterAll(async () => {
  for (const client of clients) await client.close();
  for (const server of servers) await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** What kagent and etcd answer, failures in etcd's words, once it is the same. */
async function both<T>(ask: (client: TestClient) => Promise<T>): Promise<T | string> {
  const [ours, etcds] = await Promise.all(clients.map((client) => ask(client).catch(wordsOf)));
  expect(ours).toEqual(etcds);
  return ours as T | string;
}

function wordsOf(error: unknown): string {
  if (error instanceof EtcdCallError) return `${error.grpcCode}: ${error.message}`;
  throw error;
}

interface Watching {
  readonly range: KeyRange;
  readonly start: number;
  readonly past: readonly object[];
  /** The model's event count when the watch began. */
  readonly from: number;
  readonly streams: readonly TestWatchStream[];
}
let watching: Watching[] = [];

const { range, query, putOperation, deleteOperation, txn } = randomOperations({
  leases: [0n, 0n, ...leases] as LeaseId[],
  ignores: true,
  // etcd does not see that a put falls into a delete without an end, and kagent refuses that too (docs/datastore-api.md).
  onlyClosedDeletes: true,
});
const asTxn = (operation: Operation): Txn => ({ kind: 'txn', compare: [], success: [operation], failure: [] });
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.oneof(txn(2), putOperation.map(asTxn), deleteOperation.map(asTxn)).map((one) => () => checkTxn(one)),
  },
  { weight: 6, arbitrary: fc.tuple(query(fc.constant(0)), fc.nat({ max: 12 })).map((one) => () => checkRange(...one)) },
  { weight: 1, arbitrary: fc.integer({ min: -1, max: 12 }).map((back) => () => checkCompaction(back)) },
  { weight: 1, arbitrary: fc.constantFrom(...leases).map((lease) => () => checkRevocation(lease)) },
  { weight: 2, arbitrary: fc.tuple(range, fc.integer({ min: -2, max: 15 })).map((one) => () => beginWatch(...one)) },
);

test('kagent, etcd and the model answer and tell the same', { timeout: 3_600_000 }, async () => {
  const seed = Number(process.env['KAGENT_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const steps = fc.sample(step, { numRuns: stepCount, seed });
  for (const [at, take] of steps.entries()) {
    await take().catch((error: unknown) => {
      throw new Error(`step ${at} of KAGENT_TEST_SEED=${seed}`, { cause: error });
    });
    if (at % roundSteps === roundSteps - 1) await endWatches();
  }
  await endWatches();
  expect(model.revision).toBeGreaterThan(stepCount / 8); // something has happened
});

async function checkTxn(one: Txn): Promise<void> {
  const answer = await both(async (client) => withoutInner(plainOf(await client.txn(requestOf(one)))));
  if (typeof answer === 'string' && answer.includes('duplicate key')) return; // the model does not look for it
  const expected = model.txn(one);
  expect(answer).toEqual(expected === 'key not found' ? '3: etcdserver: key not found' : withoutInner(expected));
}

async function checkRange(one: RangeQuery, back: number): Promise<void> {
  // At the present, at a past that may be compacted, and at times in the future.
  const revision = back === 0 ? 0 : Math.max(0, model.revision + 2 - back);
  const at = { ...one, revision } as RangeQuery;
  const { kind: _kind, key, ...options } = rangeRequestOf(at);
  const answer = await both(async (client) => plainOf(await client.range(key, options)));
  const failures = {
    compacted: '11: etcdserver: mvcc: required revision has been compacted',
    future: '11: etcdserver: mvcc: required revision is a future revision',
  };
  const expected = model.range(at);
  expect(answer).toEqual(typeof expected === 'string' ? failures[expected] : expected);
}

async function checkCompaction(back: number): Promise<void> {
  await endWatches(); // what they had not told yet could be gone
  const revision = model.revision - back;
  const answer = await both((client) => client.compact(revision, true));
  const failures = {
    compacted: '11: etcdserver: mvcc: required revision has been compacted',
    future: '11: etcdserver: mvcc: required revision is a future revision',
  };
  const expected = model.compact(revision);
  expect(answer).toEqual(expected === 'done' ? model.revision : failures[expected]);
}

async function checkRevocation(lease: bigint): Promise<void> {
  const revision = await both((client) => client.revoke(lease));
  model.revoke(lease);
  expect(revision).toBe(model.revision);
  await both((client) => client.grant(3600, lease));
}

async function beginWatch(of: KeyRange, back: number): Promise<void> {
  const start = Math.max(1, model.revision + 1 - back);
  const isGone = start < model.compactRevision;
  const options = { startRevision: start, prevKv: true, ...(of.rangeEnd && { rangeEnd: of.rangeEnd }) };
  const isEmpty = of.rangeEnd !== undefined && textOf(of.rangeEnd) !== '\0' && textOf(of.key) >= textOf(of.rangeEnd);
  const streams = clients.map((client) => client.watchStream());
  const firsts = await Promise.all(streams.map((stream) => stream.created(of.key, options)));
  for (const first of firsts) expect(first).toMatchObject({ created: true, canceled: isEmpty });
  if (isEmpty || isGone) {
    if (isGone && !isEmpty) {
      const ends = await Promise.all(streams.map((stream) => stream.next()));
      for (const end of ends) expect(end).toMatchObject({ canceled: true, compactRevision: model.compactRevision });
    }
    for (const stream of streams) stream.close();
    return;
  }
  watching.push({ range: of, start, past: model.eventsSince(start, of), from: model.events.length, streams });
}

async function endWatches(): Promise<void> {
  for (const { range: of, start, past, from, streams } of watching) {
    const since = model.events.slice(from).filter((event) => event.revision >= start && isIn(of, event.key));
    const expected = [...past, ...since];
    for (const stream of streams) {
      const events = await stream.events(expected.length);
      expect(events.map(plainEvent)).toEqual(expected);
      if (start <= model.revision) await expectNoMore(stream);
      stream.close();
    }
  }
  watching = [];
}

/** A progress answer stands behind every event; etcd gives none while the watch reads from the past, so it is asked again. */
async function expectNoMore(stream: TestWatchStream): Promise<void> {
  const asking = setInterval(() => stream.progress(), 50);
  stream.progress();
  const message = await stream.next().finally(() => clearInterval(asking));
  expect(message).toMatchObject({ events: [], revision: model.revision });
}

function isIn({ key, rangeEnd }: KeyRange, text: string): boolean {
  if (rangeEnd === undefined) return text === textOf(key);
  return text >= textOf(key) && (textOf(rangeEnd) === '\0' || text < textOf(rangeEnd));
}

const sortOrders = ['none', 'ascend', 'descend'] as const;
const sortTargets = ['key', 'version', 'create', 'mod', 'value'] as const;

const keysOf = ({ key, rangeEnd }: KeyRange): Pick<RangeRequest, 'key' | 'rangeEnd'> => ({
  key,
  ...(rangeEnd && { rangeEnd }),
});

function rangeRequestOf({ range: of, sortOrder, sortTarget, ...rest }: RangeQuery): RangeRequest {
  return {
    ...rest,
    ...keysOf(of),
    sortOrder: sortOrders.indexOf(sortOrder),
    sortTarget: sortTargets.indexOf(sortTarget),
  };
}

function operationOf(operation: Operation): OperationRequest {
  if (operation.kind === 'range') return rangeRequestOf(operation);
  if (operation.kind === 'deleteRange') {
    return { kind: 'deleteRange', prevKv: operation.prevKv, ...keysOf(operation.range) };
  }
  if (operation.kind === 'txn') return requestOf(operation);
  return operation;
}

function requestOf({ compare, success, failure }: Txn): TxnRequest {
  return {
    kind: 'txn',
    compare: compare.map(({ range: of, target, result, value, number }) => ({
      ...keysOf(of),
      target,
      result,
      operand: target === 'value' ? value : number,
    })),
    success: success.map(operationOf),
    failure: failure.map(operationOf),
  };
}

function plainKv(kv: KeyValue): object {
  const { key, value, createRevision: create, modRevision: mod, version, lease } = kv;
  return { key: textOf(key), value: textOf(value), create, mod, version, lease };
}

function plainOf(response: OperationResponse): object {
  const { revision } = response;
  switch (response.kind) {
    case 'range':
      return { revision, kvs: response.kvs.map(plainKv), more: response.more, count: response.count };
    case 'put':
      return { revision, previous: response.prevKv === undefined ? undefined : plainKv(response.prevKv) };
    case 'deleteRange':
      return { revision, deleted: response.deleted, previous: response.prevKvs.map(plainKv) };
    case 'txn':
      return { revision, succeeded: response.succeeded, responses: response.responses.map(plainOf) };
  }
}

/** The header of a Txn inside of another is empty in etcd. */
function withoutInner(result: object, isInner = false): object {
  if (!('responses' in result)) return result;
  const responses = (result.responses as object[]).map((one) => withoutInner(one, true));
  return { ...result, responses, ...(isInner && { revision: 0 }) };
}

function plainEvent({ type, kv, prevKv }: WatchEventMessage): object {
  return {
    revision: kv.modRevision,
    isDelete: type === 'delete',
    key: textOf(kv.key),
    value: textOf(kv.value),
    previous: prevKv === undefined ? undefined : textOf(prevKv.value),
  };
}
