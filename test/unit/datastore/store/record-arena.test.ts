import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecordArena } from '../../../../src/datastore/store/record-arena.ts';
import type { RecordOwner } from '../../../../src/datastore/store/record-arena.ts';

const owner = (): RecordOwner => ({ record: undefined, slab: undefined });
const filled = (sizeBytes: number, seed: number): Buffer => Buffer.alloc(sizeBytes, (seed % 255) + 1);

test('every record reads as it was added, however many others come and go', () => {
  const step = fc.record({ sizeBytes: fc.nat(3000), releases: fc.nat(), isRelease: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 400 }), (steps) => {
      const arena = new RecordArena();
      const living = new Map<RecordOwner, Buffer>();
      const released: RecordOwner[] = [];
      steps.forEach(({ sizeBytes, releases, isRelease }, seed) => {
        const gone = [...living.keys()][releases % Math.max(living.size, 1)];
        if (isRelease && gone !== undefined) {
          arena.release(gone);
          living.delete(gone);
          released.push(gone);
        }
        const added = owner();
        living.set(added, filled(sizeBytes, seed));
        arena.add(added, filled(sizeBytes, seed));
      });
      for (const [kept, bytes] of living) expect(bytes.equals(kept.record ?? Buffer.alloc(0))).toBe(true);
      expect(released.every(({ record }) => record === undefined)).toBe(true);
      expect(arena.liveBytes).toBe([...living.values()].reduce((sum, { length }) => sum + length, 0));
    }),
    { numRuns: 30 },
  );
});

test('memory follows what lives: a few long-lived records do not hold what was written around them', () => {
  const arena = new RecordArena();
  const longLived: RecordOwner[] = [];
  for (let i = 0; i < 100_000; i += 1) {
    const added = owner();
    arena.add(added, filled(1000, i));
    if (i % 200 === 0) longLived.push(added);
    else arena.release(added);
  }
  expect(arena.liveBytes).toBe(500 * 1000);
  expect(arena.sizeBytes).toBeLessThan(4 << 20);
  longLived.forEach((kept, at) => expect(kept.record?.[0]).toBe(((at * 200) % 255) + 1));
});

test('a view that somebody still holds keeps its bytes when the record is moved or released', () => {
  const arena = new RecordArena();
  const kept = owner();
  arena.add(kept, filled(1000, 7));
  const view = kept.record;
  for (let i = 0; i < 20_000; i += 1) {
    const added = owner();
    arena.add(added, filled(1000, 1));
    if (i % 200 > 0) arena.release(added);
  }
  expect(kept.record?.buffer).not.toBe(view?.buffer); // it was moved
  arena.release(kept);
  expect(view?.every((byte) => byte === 8)).toBe(true);
});

test('a record larger than a slab has memory of its own, given back with it', () => {
  const arena = new RecordArena();
  const large = owner();
  arena.add(large, filled(1_500_000, 3));
  expect(arena.sizeBytes).toBe(1_500_000);
  arena.release(large);
  expect(arena.sizeBytes).toBe(0);
});
