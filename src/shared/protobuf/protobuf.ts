/**
 * @module
 * Reading and writing protocol buffers, field by field.
 * Knows: tags, varints, lengths. Leaves to others: which message has which fields.
 * Spec: protobuf.dev, "Encoding".
 */
import { giveBufferBack, isReusable, takeBuffer } from './buffer-pool.ts';
import { MalformedMessageError } from './errors.ts';

export { MalformedMessageError };

const wireVarint = 0;
const wireFixed64 = 1;
const wireBytes = 2;
const wireFixed32 = 5;
const nothing = Buffer.alloc(0);

/** Walks over one message: `while (reader.next())` and then one read, or `skip()`, for each `reader.field`. */
export class ProtoReader {
  field = 0;
  readonly #bytes: Buffer;
  #position: number;
  #wireType = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#position = 0;
  }

  /** Steps to the next field; false at the end of the message. */
  next(): boolean {
    if (this.#position >= this.#bytes.length) return false;
    const tag = this.#varint();
    this.field = Math.floor(tag / 8);
    this.#wireType = tag % 8;
    if (this.field === 0) throw new MalformedMessageError('illegal tag 0');
    return true;
  }

  /** An int64 as a number: exact up to 2^53, which no revision passes. */
  int(): number {
    if (!this.#is(wireVarint)) return 0;
    const start = this.#position;
    const value = this.#varint();
    // Ten bytes hold either a negative number or one beyond what varint() adds up exactly.
    return this.#position - start < 8 ? value : Number(this.#wideVarint(start));
  }

  /** An int64 that uses all its bits, such as a lease id. */
  bigint(): bigint {
    if (!this.#is(wireVarint)) return 0n;
    const start = this.#position;
    const value = this.#varint();
    return this.#position - start < 8 ? BigInt(value) : this.#wideVarint(start);
  }

  bool(): boolean {
    return this.int() !== 0;
  }

  /** A view into the message: copy what must outlive it. */
  bytesView(): Buffer {
    if (!this.#is(wireBytes)) return nothing;
    const length = this.#varint();
    const end = this.#position + length;
    if (end > this.#bytes.length) throw new MalformedMessageError('unexpected EOF');
    const view = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return view;
  }

  message(): ProtoReader {
    return new ProtoReader(this.bytesView());
  }

  /** A repeated scalar, packed or one by one. */
  ints(into: number[]): void {
    if (this.#wireType !== wireBytes) {
      into.push(this.int());
      return;
    }
    const packed = this.message();
    packed.#wireType = wireVarint;
    while (packed.#position < packed.#bytes.length) into.push(packed.int());
  }

  skip(): void {
    if (this.#wireType === wireVarint) this.#varint();
    else if (this.#wireType === wireBytes) this.bytesView();
    else if (this.#wireType === wireFixed64) this.#position += 8;
    else if (this.#wireType === wireFixed32) this.#position += 4;
    else throw new MalformedMessageError(`illegal wire type ${this.#wireType}`);
    if (this.#position > this.#bytes.length) throw new MalformedMessageError('unexpected EOF');
  }

  /** A field of another type than it should be is skipped, as protobuf does, and reads as its default. */
  #is(wireType: number): boolean {
    if (this.#wireType === wireType) return true;
    this.skip();
    return false;
  }

  #varint(): number {
    let value = 0;
    let factor = 1;
    for (let length = 1; length <= 10; length += 1) {
      const byte = this.#bytes[this.#position];
      if (byte === undefined) throw new MalformedMessageError('unexpected EOF');
      this.#position += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    throw new MalformedMessageError('variable length integer overflow');
  }

  #wideVarint(start: number): bigint {
    let value = 0n;
    for (let at = start; at < this.#position; at += 1) {
      value |= BigInt((this.#bytes[at] ?? 0) & 0x7f) << BigInt(7 * (at - start));
    }
    return BigInt.asIntN(64, value);
  }
}

/** What to do with each field of a message, by its number; the others are skipped. */
export function readFields(
  reader: ProtoReader,
  fields: Readonly<Record<number, (reader: ProtoReader) => unknown>>,
): void {
  while (reader.next()) (fields[reader.field] ?? (() => reader.skip()))(reader);
}

/** One entry of a map of texts. */
export function readTextEntry(entry: ProtoReader): readonly [key: string, value: string] {
  let [key, value] = ['', ''];
  readFields(entry, { 1: () => (key = entry.bytesView().toString()), 2: () => (value = entry.bytesView().toString()) });
  return [key, value];
}

/** Builds one message in a buffer that grows. Fields with their default value are left out, as proto3 does. */
export class ProtoWriter {
  #buffer: Buffer;
  #position: number;
  readonly #start: number;

  /** `reserved` bytes in front are left free for a frame's header; `sizeHint` saves growing. */
  constructor(sizeHint = 64, reserved = 0) {
    this.#buffer = takeBuffer(Math.max(sizeHint, 32) + reserved);
    this.#position = reserved;
    this.#start = reserved;
  }

  /** Starts anew in the same memory: what `finish` gave before is overwritten. */
  reset(): void {
    this.#position = this.#start;
  }

  get length(): number {
    return this.#position - this.#start;
  }

  /** How to give the memory of a large message back when nobody uses any more what `finish` gave. */
  get release(): (() => void) | undefined {
    const buffer = this.#buffer;
    return isReusable(buffer) ? () => giveBufferBack(buffer) : undefined;
  }

  /** What was written, with the reserved bytes in front. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#position);
  }

  int(field: number, value: number): void {
    if (value === 0) return;
    this.#reserve(20);
    this.#tag(field, wireVarint);
    this.#number(value);
  }

  bigint(field: number, value: bigint): void {
    if (value !== 0n) this.varint(field, value);
  }

  /** As `bigint`, but written even when it is zero. */
  varint(field: number, value: bigint): void {
    this.#reserve(20);
    this.#tag(field, wireVarint);
    this.#wide(value);
  }

  bool(field: number, value: boolean): void {
    if (value) this.int(field, 1);
  }

  bytes(field: number, value: Uint8Array): void {
    if (value.length > 0) this.record(field, value);
  }

  /** Latin1 text: each code unit is one byte, which is how the store keeps keys. */
  latin1(field: number, value: string): void {
    if (value.length === 0) return;
    this.#reserve(20 + value.length);
    this.#tag(field, wireBytes);
    this.#number(value.length);
    this.#position += this.#buffer.write(value, this.#position, 'latin1');
  }

  text(field: number, value: string): void {
    this.bytes(field, Buffer.from(value, 'utf8'));
  }

  /** An embedded message that is encoded already; written even when it is empty. */
  record(field: number, encoded: Uint8Array): void {
    this.#reserve(20 + encoded.length);
    this.#tag(field, wireBytes);
    this.#number(encoded.length);
    this.#buffer.set(encoded, this.#position);
    this.#position += encoded.length;
  }

  /** An embedded message, written in place; its length goes in front afterwards. */
  message(field: number, write: (writer: this) => void): void {
    this.#reserve(20);
    this.#tag(field, wireBytes);
    const at = this.#position;
    this.#position += 1; // most messages are shorter than 128 bytes; the others move
    write(this);
    const length = this.#position - at - 1;
    const extra = varintLength(length) - 1;
    if (extra > 0) {
      this.#reserve(extra);
      this.#buffer.copyWithin(at + 1 + extra, at + 1, this.#position);
    }
    this.#position = at;
    this.#number(length);
    this.#position += length;
  }

  /** A repeated scalar, packed. */
  packed(field: number, values: readonly number[]): void {
    if (values.length === 0) return;
    this.message(field, () => {
      for (const value of values) {
        this.#reserve(10);
        this.#number(value);
      }
    });
  }

  #tag(field: number, wireType: number): void {
    this.#number(field * 8 + wireType);
  }

  #number(value: number): void {
    if (value < 0 || value > Number.MAX_SAFE_INTEGER) {
      this.#wide(BigInt(value));
      return;
    }
    let rest = value;
    while (rest >= 128) {
      this.#buffer[this.#position++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#position++] = rest;
  }

  #wide(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    while (rest >= 128n) {
      this.#buffer[this.#position++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#position++] = Number(rest);
  }

  #reserve(more: number): void {
    if (this.#position + more <= this.#buffer.length) return;
    const grown = takeBuffer(Math.max(this.#buffer.length * 2, this.#position + more));
    this.#buffer.copy(grown, 0, 0, this.#position);
    giveBufferBack(this.#buffer);
    this.#buffer = grown;
  }
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length += 1;
  return length;
}
