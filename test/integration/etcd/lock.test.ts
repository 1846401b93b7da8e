/** Locks and elections as etcd serves them itself, the same cases against kagent and a real etcd. */
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeRecord } from '../../../src/datastore/store/store.ts';
import type { ProtoReader, ProtoWriter } from '../../../src/shared/protobuf/protobuf.ts';
import type { TestClient } from '../../helpers/etcd-client.ts';
import { prefix } from '../../helpers/etcd-client.ts';
import { describeEachEtcd } from '../../helpers/each-etcd.ts';
import { call } from '../../helpers/maintenance-client.ts';
import { eventually } from '../../helpers/wait.ts';
import { readFields } from '../../../src/shared/protobuf/protobuf.ts';

interface Leader {
  name: string;
  key: string;
  rev: number;
  lease: bigint;
}

describeEachEtcd((served) => {
  let client: TestClient;
  let name: string;
  let testNumber = 0;

  beforeAll(() => void ({ client } = served()));
  beforeEach(() => {
    name = `name${(testNumber += 1)}`;
  });

  const lock = async (lease: bigint): Promise<string> => {
    let key = '';
    const request = (m: ProtoWriter): void => {
      m.text(1, name);
      m.bigint(2, lease);
    };
    await call(client, 'v3lockpb.Lock/Lock', request, { 2: (r) => (key = r.bytesView().toString()) });
    return key;
  };
  const unlock = (key: string) => call(client, 'v3lockpb.Lock/Unlock', (m) => m.text(1, key));
  const lineLength = async (length: number): Promise<void> => {
    const count = async () => (await client.range(`${name}/`, prefix(`${name}/`))).count;
    await eventually(async () => (await count()) === length, { what: `a line of ${length}` });
  };

  const campaign = async (lease: bigint, value: string): Promise<Leader> => {
    const leader: Leader = { name: '', key: '', rev: 0, lease: 0n };
    const request = (m: ProtoWriter): void => {
      m.text(1, name);
      m.bigint(2, lease);
      m.text(3, value);
    };
    await call(client, 'v3electionpb.Election/Campaign', request, {
      2: (r) =>
        readFields(r.message(), {
          1: (f) => (leader.name = f.bytesView().toString()),
          2: (f) => (leader.key = f.bytesView().toString()),
          3: (f) => (leader.rev = f.int()),
          4: (f) => (leader.lease = f.bigint()),
        }),
    });
    return leader;
  };
  const asLeader = (method: string, leader: Leader, value = '') =>
    call(client, `v3electionpb.Election/${method}`, (m) => {
      m.message(1, () => {
        m.text(1, leader.name);
        m.text(2, leader.key);
        m.int(3, leader.rev);
        m.bigint(4, leader.lease);
      });
      m.text(2, value);
    });
  const said = (reader: ProtoReader): string => Buffer.from(decodeRecord(reader.bytesView()).value).toString();
  const leaderNow = async (): Promise<string> => {
    let value = '';
    await call(client, 'v3electionpb.Election/Leader', (m) => m.text(1, name), { 2: (r) => (value = said(r)) });
    return value;
  };

  describe('lock', () => {
    test('the second waits until the first unlocks; who has the lock gets it again at once', async () => {
      const [first, second] = [await client.grant(600), await client.grant(600)];
      const key = await lock(first.id);
      expect(key).toBe(`${name}/${first.id.toString(16)}`);
      expect(await lock(first.id)).toBe(key);
      const order: string[] = [];
      const waiting = lock(second.id).then((locked) => {
        order.push('locked');
        return locked;
      });
      await lineLength(2);
      order.push('unlocking');
      await unlock(key);
      expect(await waiting).toBe(`${name}/${second.id.toString(16)}`);
      expect(order).toEqual(['unlocking', 'locked']);
    });

    test('a lease that ends gives the lock to the next, in the order of asking', async () => {
      const [first, second, third] = [await client.grant(600), await client.grant(600), await client.grant(600)];
      await lock(first.id);
      const order: string[] = [];
      const waitingSecond = lock(second.id).then(() => order.push('second'));
      await lineLength(2);
      const waitingThird = lock(third.id).then(() => order.push('third'));
      await lineLength(3);
      await client.revoke(first.id);
      await waitingSecond;
      await client.revoke(second.id);
      await waitingThird;
      expect(order).toEqual(['second', 'third']);
    });

    test('who waits and loses the lease is told; who waits and goes away leaves the line', async () => {
      const [first, second] = [await client.grant(600), await client.grant(600)];
      const key = await lock(first.id);
      const waiting = lock(second.id);
      waiting.catch(() => {});
      await lineLength(2);
      await client.revoke(second.id);
      await unlock(key);
      await expect(waiting).rejects.toMatchObject({ grpcCode: 2, message: 'mutex: session is expired' });

      await lock(first.id);
      const stream = client.channel.open('/v3lockpb.Lock/Lock');
      stream.send((m) => m.text(1, name));
      stream.end();
      await lineLength(2);
      stream.cancel();
      await lineLength(1);
    });

    test('an unknown lease and an empty key are refused', async () => {
      await expect(lock(4711n)).rejects.toMatchObject({
        grpcCode: 2,
        message: 'etcdserver: requested lease not found',
      });
      await expect(unlock('')).rejects.toMatchObject({ grpcCode: 2, message: 'etcdserver: key is not provided' });
    });
  });

  describe('election', () => {
    test('one leads, says things, and resigns; then the next leads; an observer hears it all', async () => {
      const [first, second] = [await client.grant(600), await client.grant(600)];
      await expect(leaderNow()).rejects.toMatchObject({ grpcCode: 2, message: 'election: no leader' });
      const observer = client.channel.open('/v3electionpb.Election/Observe');
      observer.send((m) => m.text(1, name));
      observer.end();
      const heard: string[] = [];
      const observing = (async () => {
        for await (const message of observer.messages) {
          readFields(message, { 2: (r) => heard.push(said(r)) });
          if (heard.length === 3) return;
        }
      })();
      const leader = await campaign(first.id, 'one');
      expect(leader).toMatchObject({ name, key: `${name}/${first.id.toString(16)}`, lease: first.id });
      expect(await leaderNow()).toBe('one');
      await eventually(() => heard.length === 1);
      const next = campaign(second.id, 'other');
      await lineLength(2);
      await asLeader('Proclaim', leader, 'two');
      expect(await leaderNow()).toBe('two');
      await eventually(() => heard.length === 2);
      await asLeader('Resign', leader);
      await next;
      expect(await leaderNow()).toBe('other');
      await observing;
      observer.cancel();
      expect(heard).toEqual(['one', 'two', 'other']);
      await expect(asLeader('Proclaim', leader, 'late')).rejects.toMatchObject({
        grpcCode: 2,
        message: 'election: not leader',
      });
      await asLeader('Resign', leader);
    });

    test('a second campaign of the same lease changes what it says', async () => {
      const { id } = await client.grant(600);
      const first = await campaign(id, 'one');
      expect(await campaign(id, 'two')).toEqual(first);
      expect(await leaderNow()).toBe('two');
    });

    test('a call without its leader is refused', async () => {
      for (const method of ['Proclaim', 'Resign']) {
        await expect(call(client, `v3electionpb.Election/${method}`)).rejects.toMatchObject({
          grpcCode: 2,
          message: '"leader" field must be provided',
        });
      }
    });
  });
});
