import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deflatedMember, pieceBytes, storedMember, storedMemberBytes } from '../../../../src/server/release/gzip.ts';

const bytesOf = (length: number) => Buffer.from(Array.from({ length }, (_, index) => (index * index) % 251));

test.each([1, 65_534, 65_535, 65_536, 131_070, pieceBytes])(
  'a member of %d bytes that are stored is as long as was computed, and gunzip gives them back',
  (length) => {
    const member = storedMember(bytesOf(length));
    expect(member.length).toBe(storedMemberBytes(length));
    expect(gunzipSync(member)).toEqual(bytesOf(length));
  },
);

test('members of both kinds one behind another are one file', async () => {
  const kind = fc.record({ length: fc.integer({ min: 1, max: 200_000 }), isStored: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(kind, { minLength: 1, maxLength: 5 }), async (pieces) => {
      const members = pieces.map(async ({ length, isStored }) =>
        isStored ? storedMember(bytesOf(length)) : deflatedMember(bytesOf(length), { level: 1 }),
      );
      const whole = gunzipSync(Buffer.concat(await Promise.all(members)));
      expect(whole.equals(Buffer.concat(pieces.map(({ length }) => bytesOf(length))))).toBe(true);
    }),
    { numRuns: 30 },
  );
});
