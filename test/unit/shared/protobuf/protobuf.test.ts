import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MalformedMessageError, ProtoReader, ProtoWriter } from '../../../../src/shared/protobuf/protobuf.ts';

test('what is written is read back', () => {
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  fc.assert(
    fc.property(fc.maxSafeInteger(), int64, fc.uint8Array({ maxLength: 400 }), (int, wide, bytes) => {
      const writer = new ProtoWriter(0, 5);
      writer.int(1, int);
      writer.bigint(2, wide);
      writer.message(200, () => writer.message(3, () => writer.bytes(4, bytes)));
      const reader = new ProtoReader(writer.finish().subarray(5));
      let read: unknown[] = [];
      while (reader.next()) {
        if (reader.field === 1) read.push(reader.int());
        else if (reader.field === 2) read.push(reader.bigint());
        else {
          const outer = reader.message();
          outer.next();
          const inner = outer.message();
          read = [...read, inner.next() ? new Uint8Array(inner.bytesView()) : new Uint8Array()];
        }
      }
      expect(read).toEqual([...(int === 0 ? [] : [int]), ...(wide === 0n ? [] : [wide]), bytes]);
    }),
  );
});

test('any bytes are read to their end or refused, never more and never for ever', () => {
  const readAll = (bytes: Uint8Array): unknown => {
    const reader = new ProtoReader(Buffer.from(bytes));
    try {
      while (reader.next()) {
        if (reader.field % 3 === 0) reader.int();
        else if (reader.field % 3 === 1) reader.bytesView();
        else reader.skip();
      }
      return 'read';
    } catch (error) {
      return error instanceof MalformedMessageError ? 'refused' : error;
    }
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      expect(['read', 'refused']).toContain(readAll(bytes));
    }),
    { numRuns: 2000 },
  );
});
