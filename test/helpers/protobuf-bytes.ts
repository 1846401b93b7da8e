/** The length-delimited fields of a protobuf message, in order; numbers are passed over. Enough to read lists. */
export function* bytesFields(message: Uint8Array): Generator<readonly [field: number, value: Uint8Array]> {
  const reader = { at: 0 };
  while (reader.at < message.length) {
    const tag = readVarint(message, reader);
    const field = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        readVarint(message, reader);
        break;
      case 1:
        reader.at += 8;
        break;
      case 2: {
        const length = readVarint(message, reader);
        yield [field, message.subarray(reader.at, reader.at + length)];
        reader.at += length;
        break;
      }
      case 5:
        reader.at += 4;
        break;
      default:
        throw new RangeError(`protobuf wire type ${tag % 8} is not known`);
    }
  }
}

export function textOf(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('utf8');
}

/** A length-delimited field: a text, or a message. */
export function bytesField(field: number, value: string | Uint8Array): Uint8Array {
  const bytes = Buffer.from(value);
  return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);
}

/** A number that is not negative. */
export function numberField(field: number, value: number): Uint8Array {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

function varint(value: number): Uint8Array {
  return value < 128
    ? Buffer.from([value])
    : Buffer.concat([Buffer.from([(value % 128) + 128]), varint(Math.floor(value / 128))]);
}

function readVarint(message: Uint8Array, reader: { at: number }): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = message[reader.at++];
    if (byte === undefined) throw new RangeError('the protobuf message ends within a number');
    value += (byte % 128) * scale; // sizes and tags only: far below 2^53
    if (byte < 128) return value;
  }
}
