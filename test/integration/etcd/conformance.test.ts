/** The same cases against kagent and a real etcd: what etcd answers is right by definition. */
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EtcdCallError } from '../../../src/datastore/client/errors.ts';
import type { KeyValue } from '../../../src/datastore/store/store.ts';
import type { TestClient } from '../../helpers/etcd-client.ts';
import { prefix } from '../../helpers/etcd-client.ts';
import { describeEachEtcd } from '../../helpers/each-etcd.ts';
import { eventually } from '../../helpers/wait.ts';

describeEachEtcd((served) => {
  let client: TestClient;
  let p: string; // each test's own keys
  let testNumber = 0;

  beforeAll(() => void ({ client } = served()));
  beforeEach(() => {
    p = `/test${(testNumber += 1)}/`;
  });

  const fill = async (...names: string[]): Promise<void> => {
    for (const name of names) await client.put(p + name, `value of ${name}`);
  };
  const all = () => client.range(p, prefix(p));

  describe('range', () => {
    test('a key that does not exist gives nothing but the revision', async () => {
      const { kvs, count, more, revision } = await client.range(`${p}none`);
      expect({ kvs, count, more }).toEqual({ kvs: [], count: 0, more: false });
      expect(revision).toBeGreaterThan(0);
    });

    test('a key comes with revisions, version, lease and value', async () => {
      const { id } = await client.grant(100);
      const first = await client.put(`${p}a`, 'one');
      const second = await client.put(`${p}a`, 'two', { lease: id });
      const { kvs } = await client.range(`${p}a`);
      expect(kvs.map(plain)).toEqual([
        { key: `${p}a`, value: 'two', create: first.revision, mod: second.revision, version: 2, lease: id },
      ]);
    });

    test('a limit leaves the count whole and says that there is more', async () => {
      await fill('a', 'b', 'c', 'd');
      const limited = await client.range(p, { ...prefix(p), limit: 2 });
      expect([names(limited.kvs), limited.count, limited.more]).toEqual([[`${p}a`, `${p}b`], 4, true]);
      const exact = await client.range(p, { ...prefix(p), limit: 4 });
      expect([exact.kvs.length, exact.count, exact.more]).toEqual([4, 4, false]);
    });

    test('an old revision is read as it was, count included', async () => {
      await fill('a', 'b', 'c');
      const { revision } = await client.put(`${p}b`, 'new');
      await client.delete(`${p}c`);
      await fill('d');
      const old = await client.range(p, { ...prefix(p), revision: revision - 1, limit: 1 });
      expect([names(old.kvs), old.count, old.more]).toEqual([[`${p}a`], 3, true]);
      expect(old.revision).toBe(await client.currentRevision());
      const b = await client.range(`${p}b`, { revision: revision - 1 });
      expect(b.kvs.map((kv) => text(kv.value))).toEqual(['value of b']);
      expect((await client.range(p, { ...prefix(p), revision, countOnly: true })).count).toBe(3);
      expect((await all()).count).toBe(3);
    });

    test('a revision to come is refused', async () => {
      await expect(client.range(p, { revision: (await client.currentRevision()) + 1 })).rejects.toMatchObject(
        status(11, 'etcdserver: mvcc: required revision is a future revision'),
      );
    });

    test('the range to the end, and the range of everything', async () => {
      await client.put('\xff\xfe', 'last');
      const toEnd = await client.range('\xff\xfe', { rangeEnd: '\0' });
      expect(names(toEnd.kvs)).toEqual(['\xff\xfe']);
      const everything = await client.range('\0', { rangeEnd: '\0', countOnly: true });
      expect(everything.count).toBeGreaterThan(1);
      await client.delete('\xff\xfe');
    });

    test('a range that ends before it begins is empty', async () => {
      await fill('a', 'b');
      expect((await client.range(`${p}b`, { rangeEnd: `${p}a` })).kvs).toEqual([]);
    });

    test('keys_only leaves values and leases out', async () => {
      const { id } = await client.grant(100);
      await client.put(`${p}a`, 'value', { lease: id });
      const { kvs } = await client.range(p, { ...prefix(p), keysOnly: true });
      expect(kvs.map((kv) => [text(kv.key), text(kv.value), kv.lease, kv.version])).toEqual([[`${p}a`, '', 0n, 1]]);
    });

    test('every sort target, both ways, with a limit', async () => {
      await client.put(`${p}b`, '3');
      await client.put(`${p}a`, '1');
      await client.put(`${p}c`, '2');
      await client.put(`${p}a`, '4');
      await client.put(`${p}a`, '5');
      await client.put(`${p}b`, '6');
      const orders: string[] = [];
      for (const sortTarget of [0, 1, 2, 3, 4]) {
        for (const sortOrder of [0, 1, 2]) {
          const sorted = await client.range(p, { ...prefix(p), sortTarget, sortOrder });
          const cut = await client.range(p, { ...prefix(p), sortTarget, sortOrder, limit: 2 });
          expect([cut.count, cut.more]).toEqual([3, true]);
          orders.push(`${sortTarget}${sortOrder} ${initials(sorted.kvs)} ${initials(cut.kvs)}`);
        }
      }
      expect(orders).toEqual([
        '00 abc ab',
        '01 abc ab',
        '02 cba cb',
        '10 cba cb',
        '11 cba cb',
        '12 abc ab',
        '20 bac ba',
        '21 bac ba',
        '22 cab ca',
        '30 cab ca',
        '31 cab ca',
        '32 bac ba',
        '40 cab ca',
        '41 cab ca',
        '42 bac ba',
      ]);
    });

    test('filters by revision leave the count as it is', async () => {
      await fill('a', 'b', 'c');
      const { revision } = await client.put(`${p}b`, 'new');
      const modified = await client.range(p, { ...prefix(p), minModRevision: revision });
      expect([initials(modified.kvs), modified.count, modified.more]).toEqual(['b', 3, false]);
      const older = await client.range(p, { ...prefix(p), maxModRevision: revision - 1, limit: 1 });
      expect([initials(older.kvs), older.count, older.more]).toEqual(['a', 3, true]);
      const created = await client.range(p, { ...prefix(p), minCreateRevision: revision - 1 });
      expect(initials(created.kvs)).toBe('c');
      const createdBefore = await client.range(p, { ...prefix(p), maxCreateRevision: revision - 2 });
      expect(initials(createdBefore.kvs)).toBe('ab');
    });

    test('what no key or an unknown sort option is answered with', async () => {
      await expect(client.range('')).rejects.toMatchObject(status(3, 'etcdserver: key is not provided'));
      await expect(client.range(p, { sortTarget: 9 })).rejects.toMatchObject(
        status(3, 'etcdserver: invalid sort option'),
      );
      await expect(client.range(p, { sortOrder: 9 })).rejects.toMatchObject(
        status(3, 'etcdserver: invalid sort option'),
      );
    });
  });

  describe('range stream', () => {
    test('the chunks together are the range; header, more and count come last', async () => {
      const many = Array.from({ length: 40 }, (_, i) => `key-${String(i).padStart(3, '0')}`);
      await fill(...many);
      const chunks = await client.rangeStream(p, prefix(p));
      const whole = await all();
      expect(chunks.flatMap(({ kvs }) => kvs).map(plain)).toEqual(whole.kvs.map(plain));
      expect(chunks.length).toBeGreaterThan(1);
      for (const chunk of chunks.slice(0, -1)) expect([chunk.revision, chunk.count, chunk.more]).toEqual([0, 0, false]);
      const last = chunks.at(-1);
      expect([last?.revision, last?.count, last?.more]).toEqual([whole.revision, 40, false]);
    });

    test('a limit and an old revision hold', async () => {
      await fill('a', 'b', 'c');
      const { revision } = await client.delete(`${p}a`);
      const chunks = await client.rangeStream(p, { ...prefix(p), limit: 2, revision: revision - 1 });
      expect(initials(chunks.flatMap(({ kvs }) => kvs))).toBe('ab');
      expect([chunks.at(-1)?.count, chunks.at(-1)?.more]).toEqual([3, true]);
    });

    test('nothing, and a count alone, are one chunk', async () => {
      const empty = await client.rangeStream(p, prefix(p));
      expect(empty.map(({ kvs, count }) => [kvs.length, count])).toEqual([[0, 0]]);
      await fill('a', 'b');
      const counted = await client.rangeStream(p, { ...prefix(p), countOnly: true });
      expect(counted.map(({ kvs, count }) => [kvs.length, count])).toEqual([[0, 2]]);
    });

    test('sorting and filtering are refused', async () => {
      await expect(client.rangeStream(p, { sortOrder: 2 })).rejects.toMatchObject(
        status(12, 'RangeStream does not support custom sort orders'),
      );
      await expect(client.rangeStream(p, { minModRevision: 1 })).rejects.toMatchObject(
        status(12, 'RangeStream does not support revision filters'),
      );
    });
  });

  describe('put and delete', () => {
    test('prev_kv is the version before', async () => {
      expect((await client.put(`${p}a`, 'one', { prevKv: true })).prevKv).toBeUndefined();
      const { prevKv } = await client.put(`${p}a`, 'two', { prevKv: true });
      expect(prevKv === undefined ? undefined : text(prevKv.value)).toBe('one');
    });

    test('ignore_value keeps the value, ignore_lease the lease', async () => {
      const { id } = await client.grant(100);
      await client.put(`${p}a`, 'kept', { lease: id });
      await client.put(`${p}a`, '', { ignoreValue: true, lease: id });
      await client.put(`${p}a`, 'changed', { ignoreLease: true });
      const { kvs } = await client.range(`${p}a`);
      expect(kvs.map((kv) => [text(kv.value), kv.lease, kv.version])).toEqual([['changed', id, 3]]);
    });

    test('ignore_value and ignore_lease need a key to take it from, and nothing given', async () => {
      const missing = status(3, 'etcdserver: key not found');
      await expect(client.put(`${p}a`, '', { ignoreValue: true })).rejects.toMatchObject(missing);
      await expect(client.put(`${p}a`, 'x', { ignoreLease: true })).rejects.toMatchObject(missing);
      await expect(client.put(`${p}a`, 'x', { ignoreValue: true })).rejects.toMatchObject(
        status(3, 'etcdserver: value is provided'),
      );
      await expect(client.put(`${p}a`, 'x', { ignoreLease: true, lease: 7n })).rejects.toMatchObject(
        status(3, 'etcdserver: lease is provided'),
      );
    });

    test('an unknown lease and an empty key are refused', async () => {
      await expect(client.put(`${p}a`, 'x', { lease: 4711n })).rejects.toMatchObject(
        status(5, 'etcdserver: requested lease not found'),
      );
      await expect(client.put('', 'x')).rejects.toMatchObject(status(3, 'etcdserver: key is not provided'));
      await expect(client.delete('')).rejects.toMatchObject(status(3, 'etcdserver: key is not provided'));
    });

    test('a request beyond 1.5 MiB is refused in words, one beyond 2 MiB by gRPC', async () => {
      await expect(client.put(`${p}a`, Buffer.alloc(1_600_000))).rejects.toMatchObject(
        status(3, 'etcdserver: request is too large'),
      );
      await expect(client.put(`${p}a`, Buffer.alloc(2_200_000))).rejects.toMatchObject({ grpcCode: 8 });
      await client.put(`${p}a`, Buffer.alloc(1_500_000));
    });

    test('a range is deleted at one revision, and its keys begin anew', async () => {
      await fill('a', 'b', 'c');
      const before = await client.currentRevision();
      const deleted = await client.delete(p, { rangeEnd: `${p}c`, prevKv: true });
      expect([deleted.deleted, deleted.revision, initials(deleted.prevKvs)]).toEqual([2, before + 1, 'ab']);
      const { revision } = await client.put(`${p}a`, 'again');
      const { kvs } = await client.range(`${p}a`);
      expect(kvs.map((kv) => [kv.createRevision, kv.version])).toEqual([[revision, 1]]);
    });

    test('deleting nothing takes no revision', async () => {
      const before = await client.currentRevision();
      expect(await client.delete(`${p}none`)).toMatchObject({ deleted: 0, revision: before });
      expect(await client.currentRevision()).toBe(before);
    });
  });

  describe('txn', () => {
    test('create, update and delete as kube-apiserver does them', async () => {
      const key = `${p}pod`;
      const create = {
        compare: [{ key, target: 'mod', result: 'equal', operand: 0 }],
        success: [{ kind: 'put', key, value: 'one' }],
      } as const;
      const created = await client.txn(create);
      expect(created.succeeded).toBe(true);
      expect((await client.txn(create)).succeeded).toBe(false);
      const update = (operand: number) =>
        ({
          compare: [{ key, target: 'mod', result: 'equal', operand }],
          success: [{ kind: 'put', key, value: 'two' }],
          failure: [{ kind: 'range', key }],
        }) as const;
      const conflict = await client.txn(update(created.revision - 1));
      expect(conflict).toMatchObject({ succeeded: false, revision: created.revision });
      expect(conflict.responses[0]).toMatchObject({ kind: 'range', count: 1, revision: created.revision });
      const updated = await client.txn(update(created.revision));
      expect(updated).toMatchObject({ succeeded: true, revision: created.revision + 1 });
      const removed = await client.txn({
        compare: [{ key, target: 'mod', result: 'equal', operand: updated.revision }],
        success: [{ kind: 'deleteRange', key }],
        failure: [{ kind: 'range', key }],
      });
      expect(removed.responses).toMatchObject([{ kind: 'deleteRange', deleted: 1, revision: updated.revision + 1 }]);
    });

    test('every target and every operator', async () => {
      const { id } = await client.grant(100);
      const { revision: create } = await client.put(`${p}a`, 'm');
      const { revision: mod } = await client.put(`${p}a`, 'm', { lease: id });
      const operands = {
        version: [1, 2, 3],
        create: [create - 1, create, create + 1],
        mod: [mod - 1, mod, mod + 1],
        value: ['l', 'm', 'n'],
        lease: [id - 1n, id, id + 1n],
      } as const;
      const held: string[] = [];
      for (const target of ['version', 'create', 'mod', 'value', 'lease'] as const) {
        for (const result of ['equal', 'greater', 'less', 'notEqual'] as const) {
          for (const [at, operand] of operands[target].entries()) {
            const { succeeded } = await client.txn({ compare: [{ key: `${p}a`, target, result, operand }] });
            if (succeeded) held.push(`${result}${at}`);
          }
        }
      }
      const each = ['equal1', 'greater0', 'less2', 'notEqual0', 'notEqual2'];
      expect(held).toEqual([...each, ...each, ...each, ...each, ...each]);
    });

    test('a key that does not exist is zero everywhere and has no value', async () => {
      const key = `${p}none`;
      const holds = async (target: 'version' | 'create' | 'mod' | 'lease' | 'value', operand: number | string) =>
        (await client.txn({ compare: [{ key, target, result: 'equal', operand }] })).succeeded;
      expect(await Promise.all([holds('version', 0), holds('create', 0), holds('mod', 0), holds('lease', 0)])).toEqual([
        true,
        true,
        true,
        true,
      ]);
      expect(await holds('value', '')).toBe(false);
    });

    test('a compare over a range holds for all of its keys or for none', async () => {
      await fill('a', 'b', 'c');
      const compare = (operand: number, range = prefix(p)) =>
        client.txn({ compare: [{ key: p, ...range, target: 'version', result: 'equal', operand }] });
      expect((await compare(1)).succeeded).toBe(true);
      await client.put(`${p}b`, 'new');
      expect((await compare(1)).succeeded).toBe(false);
      expect((await compare(0, { rangeEnd: `${p}0` })).succeeded).toBe(true);
    });

    test('writes are seen by what follows them, and share one revision', async () => {
      await fill('a');
      const before = await client.currentRevision();
      const { responses, revision } = await client.txn({
        success: [
          { kind: 'range', key: p, ...prefix(p), countOnly: true },
          { kind: 'put', key: `${p}b`, value: 'b' },
          { kind: 'range', key: p, ...prefix(p) },
          { kind: 'deleteRange', key: `${p}a`, prevKv: true },
          { kind: 'deleteRange', key: `${p}none` },
          { kind: 'range', key: p, ...prefix(p), revision: before },
          { kind: 'range', key: p, ...prefix(p), limit: 1 },
        ],
      });
      expect(revision).toBe(before + 1);
      expect(responses.map((response) => response.revision - before)).toEqual([0, 1, 1, 1, 1, 1, 1]);
      expect(responses.map((response) => ('count' in response ? response.count : undefined))).toEqual([
        1,
        undefined,
        2,
        undefined,
        undefined,
        1,
        1,
      ]);
    });

    test('nested Txns compare with the state before all of it', async () => {
      const inner = {
        kind: 'txn',
        compare: [{ key: `${p}a`, target: 'version', result: 'equal', operand: 0 }],
        success: [{ kind: 'put', key: `${p}b`, value: 'was not there' }],
        failure: [{ kind: 'put', key: `${p}b`, value: 'was there' }],
      } as const;
      const { responses } = await client.txn({ success: [{ kind: 'put', key: `${p}a`, value: 'now' }, inner] });
      expect(responses[1]).toMatchObject({ kind: 'txn', succeeded: true, responses: [{ kind: 'put' }] });
      expect(text((await client.range(`${p}b`)).kvs[0]?.value)).toBe('was not there');
    });

    test('one revision takes a key once', async () => {
      const put = (name: string) => ({ kind: 'put', key: p + name, value: 'x' }) as const;
      const remove = (name: string) => ({ kind: 'deleteRange', key: p + name }) as const;
      const either = {
        kind: 'txn',
        compare: [{ key: `${p}a`, target: 'version', result: 'equal', operand: 0 }],
        success: [put('a')],
        failure: [put('a')],
      } as const;
      const twice = status(3, 'etcdserver: duplicate key given in txn request');
      await expect(client.txn({ success: [put('a'), put('a')] })).rejects.toMatchObject(twice);
      await expect(client.txn({ success: [put('a'), remove('a')] })).rejects.toMatchObject(twice);
      await expect(client.txn({ failure: [remove('a'), put('a')] })).rejects.toMatchObject(twice);
      await expect(client.txn({ success: [either, put('a')] })).rejects.toMatchObject(twice);
      await expect(client.txn({ success: [either, either] })).rejects.toMatchObject(twice);
      await expect(
        client.txn({ success: [{ kind: 'deleteRange', key: p, ...prefix(p) }, either] }),
      ).rejects.toMatchObject(twice);
      expect((await client.txn({ success: [either, put('b'), remove('c'), remove('c')] })).succeeded).toBe(true);
      await client.txn({ success: [remove('a'), { kind: 'deleteRange', key: p, ...prefix(p) }] });
      expect((await all()).count).toBe(0);
    });

    test('too many operations, an empty one and an empty key are refused', async () => {
      const puts = (count: number) =>
        Array.from({ length: count }, (_, i) => ({ kind: 'put', key: `${p}${i}`, value: 'x' }) as const);
      const tooMany = status(3, 'etcdserver: too many operations in txn request');
      expect((await client.txn({ success: puts(128) })).succeeded).toBe(true);
      await expect(client.txn({ success: puts(129) })).rejects.toMatchObject(tooMany);
      const nested = { kind: 'txn', success: puts(1) } as const;
      await expect(client.txn({ success: [nested, ...puts(127)] })).rejects.toMatchObject(tooMany);
      await expect(client.txn({ success: [{ kind: 'none' }] })).rejects.toMatchObject(
        status(3, 'etcdserver: key not found'),
      );
      await expect(client.txn({ success: [{ kind: 'put', key: '' }] })).rejects.toMatchObject(
        status(3, 'etcdserver: key is not provided'),
      );
    });

    test('a branch that is not taken may fail; one that is leaves nothing behind', async () => {
      const put = { kind: 'put', key: `${p}a`, value: 'x' } as const;
      const badLease = { kind: 'put', key: `${p}b`, value: 'x', lease: 4711n } as const;
      expect((await client.txn({ success: [put], failure: [badLease] })).succeeded).toBe(true);
      await expect(client.txn({ success: [{ ...put, key: `${p}c` }, badLease] })).rejects.toMatchObject(
        status(5, 'etcdserver: requested lease not found'),
      );
      const future = { kind: 'range', key: p, revision: 1_000_000_000 } as const;
      await expect(client.txn({ success: [{ ...put, key: `${p}c` }, future] })).rejects.toMatchObject(
        status(11, 'etcdserver: mvcc: required revision is a future revision'),
      );
      expect(initials((await all()).kvs)).toBe('a');
    });
  });

  describe('watch', () => {
    test('events come in order, each once, with the previous version', async () => {
      const stream = client.watchStream();
      const created = await stream.created(p, { ...prefix(p), prevKv: true });
      expect(created).toMatchObject({ created: true, canceled: false, watchId: 0 });
      await client.put(`${p}a`, 'one');
      await client.put(`${p}a`, 'two');
      const { revision } = await client.delete(`${p}a`);
      const events = await stream.events(3);
      expect(events.map(event)).toEqual(['put a=one', 'put a=two before=one', 'delete a= before=two']);
      expect(events[2]?.kv).toMatchObject({ modRevision: revision, createRevision: 0, version: 0 });
      stream.close();
    });

    test('the events of a Txn come in one message, in the order of its operations', async () => {
      const stream = client.watchStream();
      await stream.created(p, prefix(p));
      await fill('z');
      await client.txn({
        success: [
          { kind: 'put', key: `${p}b`, value: '1' },
          { kind: 'put', key: `${p}a`, value: '2' },
          { kind: 'deleteRange', key: `${p}z` },
        ],
      });
      await stream.next();
      const { events, revision } = await stream.next();
      expect(events.map(event)).toEqual(['put b=1', 'put a=2', 'delete z=']);
      expect(new Set(events.map(({ kv }) => kv.modRevision))).toEqual(new Set([revision]));
      stream.close();
    });

    test('the past is told first, then the present', async () => {
      const { revision } = await client.put(`${p}a`, 'one');
      await client.put(`${p}b`, 'two');
      await client.delete(`${p}a`);
      const stream = client.watchStream();
      await stream.created(p, { ...prefix(p), startRevision: revision, prevKv: true });
      await client.put(`${p}c`, 'three');
      const events = await stream.events(4);
      expect(events.map(event)).toEqual(['put a=one', 'put b=two', 'delete a= before=one', 'put c=three']);
      stream.close();
    });

    test('a revision to come is waited for', async () => {
      const now = await client.currentRevision();
      const stream = client.watchStream();
      await stream.created(p, { ...prefix(p), startRevision: now + 3 });
      await fill('a', 'b', 'c');
      expect((await stream.events(1)).map(({ kv }) => kv.modRevision)).toEqual([now + 3]);
      stream.close();
    });

    test('many watches share a stream, with ids of their own choice', async () => {
      const stream = client.watchStream();
      const ids = [];
      for (const watchId of [0, 7, 0, 0]) ids.push((await stream.created(`${p}a`, { watchId })).watchId);
      expect(ids).toEqual([0, 7, 1, 2]);
      const twice = await stream.created(`${p}a`, { watchId: 7 });
      expect(twice).toMatchObject({
        created: true,
        canceled: true,
        watchId: -1,
        cancelReason: 'mvcc: duplicate watch ID provided on the WatchStream',
      });
      await client.put(`${p}a`, 'x');
      const told = [await stream.next(), await stream.next(), await stream.next(), await stream.next()];
      expect(new Set(told.map(({ watchId }) => watchId))).toEqual(new Set([0, 1, 2, 7]));
      stream.close();
    });

    test('a watch that is cancelled says so and falls silent', async () => {
      const stream = client.watchStream();
      await stream.created(`${p}a`);
      await stream.created(`${p}b`);
      stream.cancel(0);
      expect(await stream.next()).toMatchObject({ watchId: 0, canceled: true, created: false, compactRevision: 0 });
      await client.put(`${p}a`, 'x');
      await client.put(`${p}b`, 'x');
      expect(await stream.next()).toMatchObject({ watchId: 1 });
      stream.close();
    });

    test('filters leave out puts, or deletes', async () => {
      const stream = client.watchStream();
      await stream.created(p, { ...prefix(p), filters: [0] });
      await stream.created(p, { ...prefix(p), filters: [1], watchId: 5 });
      await client.put(`${p}a`, 'x');
      await client.delete(`${p}a`);
      const [first, second] = [await stream.next(), await stream.next()];
      expect(first.events.map(event)).toEqual(['put a=x']);
      expect([first.watchId, second.watchId]).toEqual([5, 0]);
      expect(second.events.map(event)).toEqual(['delete a=']);
      stream.close();
    });

    test('an empty range and a negative revision end at once', async () => {
      const stream = client.watchStream();
      expect(await stream.created(`${p}b`, { rangeEnd: `${p}a` })).toMatchObject({
        created: true,
        canceled: true,
        watchId: -1,
        cancelReason: 'mvcc: watcher range is empty',
      });
      expect(await stream.created(`${p}b`, { startRevision: -1 })).toMatchObject({
        created: true,
        canceled: true,
        watchId: -1,
        cancelReason: 'etcdserver: mvcc: required revision has been compacted',
      });
      stream.close();
    });

    test('a progress answer stands behind every event up to its revision', async () => {
      const stream = client.watchStream();
      await stream.created(p, prefix(p));
      await stream.created(`${p}other`);
      for (let round = 0; round < 20; round += 1) {
        const { revision } = await client.put(`${p}a`, String(round));
        stream.progress();
        const seen: number[] = [];
        for (;;) {
          const message = await stream.next();
          seen.push(...message.events.map(({ kv }) => kv.modRevision));
          if (message.watchId !== -1) continue;
          expect(message.revision).toBeGreaterThanOrEqual(revision);
          break;
        }
        expect(seen).toEqual([revision]);
      }
      stream.close();
    });

    test('fragments of a long message carry its events on', async () => {
      const before = await client.currentRevision();
      const value = Buffer.alloc(700_000, 'x');
      for (const name of ['a', 'b', 'c', 'd']) await client.put(p + name, value);
      const stream = client.watchStream();
      await stream.created(p, { ...prefix(p), startRevision: before + 1, fragment: true });
      const messages = [];
      do messages.push(await stream.next());
      while (messages.at(-1)?.fragment === true);
      expect(messages.flatMap(({ events }) => events).map(({ kv }) => text(kv.key).at(-1))).toEqual([
        'a',
        'b',
        'c',
        'd',
      ]);
      expect(messages.length).toBe(2);
      stream.close();
    });
  });

  describe('compaction', () => {
    test('older revisions are gone, the present and what is younger stay', async () => {
      await fill('a', 'b');
      await client.put(`${p}a`, 'new');
      const { revision } = await client.delete(`${p}b`);
      await client.put(`${p}a`, 'newest');
      expect(await client.compact(revision, true)).toBe(revision + 1);
      await expect(client.range(p, { revision: revision - 1 })).rejects.toMatchObject(compacted);
      const at = await client.range(p, { ...prefix(p), revision });
      expect(at.kvs.map((kv) => text(kv.value))).toEqual(['new']);
      expect((await all()).kvs.map((kv) => [text(kv.value), kv.version])).toEqual([['newest', 3]]);
      await expect(client.compact(revision)).rejects.toMatchObject(compacted);
      await expect(client.compact(revision + 1000)).rejects.toMatchObject(
        status(11, 'etcdserver: mvcc: required revision is a future revision'),
      );
    });

    test('a watch from a compacted revision ends and names the compact revision', async () => {
      await fill('a', 'b', 'c');
      const revision = await client.currentRevision();
      await client.compact(revision);
      const stream = client.watchStream();
      expect(await stream.created(p, { ...prefix(p), startRevision: revision - 1 })).toMatchObject({ canceled: false });
      expect(await stream.next()).toMatchObject({ canceled: true, compactRevision: revision, events: [] });
      expect(await stream.created(p, { ...prefix(p), startRevision: revision })).toMatchObject({ created: true });
      expect((await stream.events(1)).map(event)).toEqual(['put c=value of c']);
      stream.close();
    });

    test('the previous version of an event at the compacted revision is not shown', async () => {
      await client.put(`${p}a`, 'one');
      const { revision } = await client.put(`${p}a`, 'two');
      await client.put(`${p}a`, 'three');
      await client.compact(revision, true);
      const stream = client.watchStream();
      await stream.created(p, { ...prefix(p), startRevision: revision, prevKv: true });
      expect((await stream.events(2)).map(event)).toEqual(['put a=two', 'put a=three before=two']);
      stream.close();
    });

    test('a deletion at the compacted revision itself is still told', async () => {
      await fill('a');
      const { revision } = await client.delete(`${p}a`);
      await client.compact(revision, true);
      const stream = client.watchStream();
      await stream.created(p, { ...prefix(p), startRevision: revision });
      expect((await stream.events(1)).map(event)).toEqual(['delete a=']);
      stream.close();
    });
  });

  describe('leases', () => {
    test('a lease tells its time and its keys', async () => {
      const { id, ttl } = await client.grant(100);
      expect(ttl).toBe(100);
      expect(id > 0n).toBe(true);
      await client.put(`${p}b`, 'x', { lease: id });
      await client.put(`${p}a`, 'x', { lease: id });
      await client.put(`${p}c`, 'x', { lease: id });
      await client.put(`${p}c`, 'x');
      const told = await client.timeToLive(id, true);
      expect(told).toMatchObject({ id, grantedTtl: 100 });
      expect(told.ttl).toBeGreaterThan(90);
      expect(told.keys.map(text).toSorted()).toEqual([`${p}a`, `${p}b`]);
      expect((await client.leases()).includes(id)).toBe(true);
    });

    test('revoking deletes the keys at one revision', async () => {
      const { id } = await client.grant(100);
      await client.put(`${p}a`, 'x', { lease: id });
      await client.put(`${p}b`, 'x', { lease: id });
      const stream = client.watchStream();
      await stream.created(p, prefix(p));
      const revision = await client.revoke(id);
      const { events } = await stream.next();
      expect(events.map(event)).toEqual(['delete a=', 'delete b=']);
      expect(events.map(({ kv }) => kv.modRevision)).toEqual([revision, revision]);
      expect((await all()).count).toBe(0);
      expect(await client.timeToLive(id)).toMatchObject({ ttl: -1, grantedTtl: 0 });
      stream.close();
    });

    test('a lease that nobody keeps alive expires with its keys; one that is kept alive does not', async () => {
      const gone = await client.grant(1);
      const kept = await client.grant(2);
      expect(gone.ttl).toBe(2); // the least there is
      await client.put(`${p}gone`, 'x', { lease: gone.id });
      await client.put(`${p}kept`, 'x', { lease: kept.id });
      await eventually(async () => {
        expect((await client.keepAlive(kept.id)).ttl).toBe(2);
        return (await client.range(`${p}gone`)).count === 0;
      });
      expect((await client.range(`${p}kept`)).count).toBe(1);
      await client.revoke(kept.id);
    });

    test('ids are unique, times are bounded, unknown leases are said to be', async () => {
      await client.grant(100, 987_654_321n);
      await expect(client.grant(100, 987_654_321n)).rejects.toMatchObject(
        status(9, 'etcdserver: lease already exists'),
      );
      await expect(client.grant(9_000_000_001)).rejects.toMatchObject(status(11, 'etcdserver: too large lease TTL'));
      await expect(client.revoke(4711n)).rejects.toMatchObject(status(5, 'etcdserver: requested lease not found'));
      expect(await client.keepAlive(4711n)).toMatchObject({ id: 4711n, ttl: 0 });
      const big = 0x7123_4567_89ab_cdefn;
      expect((await client.grant(100, big)).id).toBe(big);
      await client.put(`${p}a`, 'x', { lease: big });
      expect((await client.range(`${p}a`)).kvs[0]?.lease).toBe(big);
    });
  });

  describe('what cannot be understood', () => {
    test('an unknown method and an unknown service are not implemented', async () => {
      const call = (path: string) =>
        client.channel.unary(
          path,
          () => {},
          () => {},
        );
      await expect(call('/etcdserverpb.KV/Frobnicate')).rejects.toMatchObject(
        status(12, 'unknown method Frobnicate for service etcdserverpb.KV'),
      );
      await expect(call('/no.such.Service/Call')).rejects.toMatchObject(status(12, 'unknown service no.such.Service'));
    });

    test('a message that is not one is an error, and the connection stays', async () => {
      const illegalWireType = 7 / 8; // becomes part of the tag: field 1, wire type 7
      const broken = client.channel.unary(
        '/etcdserverpb.KV/Range',
        (m) => m.int(1 + illegalWireType, 5),
        () => {},
      );
      await expect(broken).rejects.toMatchObject({ grpcCode: 13 });
      await expect(broken).rejects.toThrow(/^grpc: error unmarshalling request: /);
      await fill('a');
    });
  });
});

const compacted = status(11, 'etcdserver: mvcc: required revision has been compacted');

function status(grpcCode: number, message: string): object {
  return { constructor: EtcdCallError, grpcCode, message };
}

function text(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString();
}

function names(kvs: readonly KeyValue[]): string[] {
  return kvs.map((kv) => text(kv.key));
}

/** The last letters of the keys. */
function initials(kvs: readonly KeyValue[]): string {
  return names(kvs)
    .map((name) => name.at(-1))
    .join('');
}

function plain(kv: KeyValue): object {
  return {
    key: text(kv.key),
    value: text(kv.value),
    create: kv.createRevision,
    mod: kv.modRevision,
    version: kv.version,
    lease: kv.lease,
  };
}

function event({ type, kv, prevKv }: { type: string; kv: KeyValue; prevKv: KeyValue | undefined }): string {
  const before = prevKv === undefined ? '' : ` before=${text(prevKv.value)}`;
  return `${type} ${text(kv.key).at(-1)}=${text(kv.value)}${before}`;
}
