/** The length-delimited fields of a protobuf message, in order; numbers are passed over. Enough to read image lists. */
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

function readVarint(message: Uint8Array, reader: { at: number }): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = message[reader.at++];
    if (byte === undefined) throw new RangeError('the protobuf message ends within a number');
    value += (byte % 128) * scale; // sizes and tags only: far below 2^53
    if (byte < 128) return value;
  }
}
