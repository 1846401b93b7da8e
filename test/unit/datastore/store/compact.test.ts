import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Compactor } from '../../../../src/datastore/store/compact.ts';
import { HistoryBudget } from '../../../../src/datastore/store/history.ts';
import { KeyIndex } from '../../../../src/datastore/store/key-index.ts';
import type { Version } from '../../../../src/datastore/store/key-index.ts';
import { RecordArena } from '../../../../src/datastore/store/record-arena.ts';
import type { Revision } from '../../../../src/datastore/store/shapes.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

const versionOf = (id: number): Version => ({
  id,
  revision: id as Revision,
  createRevision: 1 as Revision,
  version: id,
  lease: 0n as Version['lease'],
  sizeBytes: 0,
  record: undefined,
  slab: undefined,
});

/** Of how many versions each step drops, and how long it takes, on a disk that needs so long for one of them. */
async function stepsOf(versions: number, dropMs: number): Promise<readonly { readonly dropped: number; ms: number }[]> {
  const index = new KeyIndex();
  const steps: { dropped: number; ms: number }[] = [];
  let dropped = 0;
  const compactor = new Compactor({
    index,
    history: new HistoryBudget(0, new RecordArena()),
    dropVersion: () => (dropped += 1),
    settled: async () => {
      vi.advanceTimersByTime(dropped * dropMs);
      steps.push({ dropped, ms: dropped * dropMs });
      dropped = 0;
      return versions as Revision;
    },
    swept: () => {},
  });
  const entry = index.getOrCreate('key');
  for (let id = 1; id <= versions; id += 1) {
    const version = versionOf(id);
    const previous = entry.versions.at(-1);
    entry.versions.push(version);
    compactor.settle({ entry, version, previous });
  }
  await compactor.sweep(versions as Revision);
  expect(steps.reduce((sum, step) => sum + step.dropped, 0)).toBe(versions - 1); // the newest stays
  return steps;
}

test('on a slow disk the steps of a compaction become so small that nobody waits for one for more than some milliseconds', async () => {
  const steps = await stepsOf(10_000, 0.1);
  expect(steps[0]?.dropped).toBe(200); // before anything is known of the disk
  expect(Math.max(...steps.slice(3).map(({ ms }) => ms))).toBeLessThan(10);
});

test('on a fast disk they become larger, a thousand versions at most', async () => {
  const steps = await stepsOf(20_000, 0.0001);
  expect(Math.max(...steps.map(({ dropped }) => dropped))).toBe(1000);
});
