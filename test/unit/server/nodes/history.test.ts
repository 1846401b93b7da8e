import { expect, test } from 'vitest';
import { HeartbeatHistory } from '../../../../src/server/nodes/history.ts';
import type { Heartbeat } from '../../../../src/shared/protocol/channel.ts';
import { seen } from '../../../helpers/channel-server.ts';
import { fakeClock } from '../../../helpers/clock.ts';
import { memoryKeyValue } from '../../../helpers/key-value.ts';

const quarterMs = 15 * 60 * 1000;
const startMs = Date.parse('2030-01-01T00:00:00Z');
const heartbeat = (changes: Partial<Heartbeat> = {}): Heartbeat => ({ type: 'beat', seq: 1, ...seen, ...changes });

function history() {
  const store = memoryKeyValue();
  const clock = fakeClock(startMs);
  return { store, clock, kept: new HeartbeatHistory(store, clock) };
}

test('a quarter of an hour keeps the worst of each figure', async () => {
  const { kept } = history();
  await kept.connected('a');
  await kept.heartbeat('a', heartbeat({ clockSkewMs: -40, load1: 1 }), 0);
  await kept.heartbeat(
    'a',
    heartbeat({ clockSkewMs: 10, load1: 3, disk: { path: '/', sizeBytes: 9, freeBytes: 0 } }),
    2,
  );
  expect(await kept.of('a')).toEqual([
    {
      from: '2030-01-01T00:00:00.000Z',
      beats: 2,
      connections: 1,
      restarts: 2,
      maxSkewMs: 40,
      maxRoundTripMs: 0,
      maxLoad1: 3,
      minMemoryBytes: 1,
      minDiskBytes: 0,
    },
  ]);
});

test('it is written once, when the quarter is over', async () => {
  const { kept, store, clock } = history();
  for (let second = 0; second < 900; second += 5) {
    await kept.heartbeat('a', heartbeat(), 0);
    clock.advance(5000);
  }
  expect(store.all.size).toBe(0);
  await kept.heartbeat('a', heartbeat(), 0);
  expect([...store.all.keys()]).toEqual(['/kagent/nodes/a/history/2030-01-01T00:00:00.000Z']);
  expect((await kept.of('a')).map(({ beats }) => beats)).toEqual([180, 1]);
});

test('a server that starts again within the quarter adds to it', async () => {
  const { kept, store, clock } = history();
  await kept.heartbeat('a', heartbeat(), 1);
  await kept.flushAll();
  const next = new HeartbeatHistory(store, clock);
  await next.heartbeat('a', heartbeat(), 0);
  expect(await next.of('a')).toMatchObject([{ beats: 2, restarts: 1 }]);
  await next.flush('a');
  expect(await new HeartbeatHistory(store, clock).of('a')).toMatchObject([{ beats: 2, restarts: 1 }]);
});

test('what is older than a day goes, of this node alone', async () => {
  const { kept, store, clock } = history();
  await kept.heartbeat('other', heartbeat(), 0);
  await kept.flush('other');
  for (let quarter = 0; quarter < 120; quarter++) {
    await kept.heartbeat('a', heartbeat(), 0);
    clock.advance(quarterMs);
  }
  await kept.flushAll();
  expect((await kept.of('a')).length).toBeLessThanOrEqual(97);
  expect((await kept.of('a')).at(0)?.from).toBe('2030-01-01T06:00:00.000Z');
  expect([...store.all.keys()].filter((key) => key.includes('other'))).toHaveLength(1);
});
