/**
 * @module
 * Header compression: a decoder with its table, which has to follow every block exactly, and an encoder that uses no table,
 * so that a block is a constant.
 * Spec: RFC 7541.
 */
import { ConnectionError, errorCodes } from './frames.ts';
import { HeaderField } from './header-field.ts';
import { decodeHuffman } from './huffman.ts';
import { staticTable } from './static-table.ts';

/** SETTINGS_HEADER_TABLE_SIZE: we leave it at its default. */
const maxTableBytes = 4096;
const entryOverheadBytes = 32;
/** Of one block, decoded, as section 6.5.2 of RFC 9113 counts. */
export const maxHeaderListBytes = 64 << 10;

export class HeaderDecoder {
  /** Oldest first; those before `head` are evicted. */
  #entries: HeaderField[] = [];
  #head = 0;
  #tableBytes = 0;
  #limitBytes = maxTableBytes;
  #block: Buffer = Buffer.alloc(0);
  #position = 0;

  /** @throws {ConnectionError} COMPRESSION_ERROR: the table is not what the peer thinks any more */
  decode(block: Buffer): HeaderField[] {
    this.#block = block;
    this.#position = 0;
    const fields: HeaderField[] = [];
    let listBytes = 0;
    while (this.#position < block.length) {
      const field = this.#field(fields.length === 0);
      if (field === undefined) continue;
      listBytes += sizeOf(field);
      if (listBytes > maxHeaderListBytes) throw new ConnectionError(errorCodes.enhanceYourCalm, 'too many headers');
      fields.push(field);
    }
    return fields;
  }

  /** Section 6: the first bits say which form it has. @returns undefined for a change of the table's size */
  #field(isFirst: boolean): HeaderField | undefined {
    const first = this.#block[this.#position] ?? 0;
    if (first >= 0x80) return this.#entry(this.#integer(7));
    if (first >= 0x40) return this.#insert(this.#literal(6));
    if (first >= 0x20) {
      if (!isFirst) throw damaged('a table size after a field');
      this.#resize(this.#integer(5));
      return undefined;
    }
    return this.#literal(4);
  }

  #literal(prefixBits: number): HeaderField {
    const index = this.#integer(prefixBits);
    const name = index === 0 ? this.#text() : this.#entry(index).name;
    return new HeaderField(name, this.#text());
  }

  /** Static entries count from 1, then the newest of ours. */
  #entry(index: number): HeaderField {
    const dynamicIndex = index - staticTable.length;
    const at = this.#entries.length - 1 - dynamicIndex;
    const found = dynamicIndex < 0 ? staticTable[index] : at >= this.#head ? this.#entries[at] : undefined;
    if (found === undefined) throw damaged(`no entry ${index}`);
    return found;
  }

  #insert(field: HeaderField): HeaderField {
    this.#entries.push(field);
    this.#tableBytes += sizeOf(field);
    this.#evict();
    return field;
  }

  #resize(limitBytes: number): void {
    if (limitBytes > maxTableBytes) throw damaged(`a table of ${limitBytes} bytes`);
    this.#limitBytes = limitBytes;
    this.#evict();
  }

  #evict(): void {
    while (this.#tableBytes > this.#limitBytes) {
      const oldest = this.#entries[this.#head++];
      if (oldest === undefined) break;
      this.#tableBytes -= sizeOf(oldest);
    }
    if (this.#head > 256) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Section 5.1. */
  #integer(prefixBits: number): number {
    const mask = 2 ** prefixBits - 1;
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let factor = 1; factor <= 2 ** 21; factor *= 128) {
      const next = this.#byte();
      value += (next & 0x7f) * factor;
      if (next < 0x80) return value;
    }
    throw damaged('a number without end');
  }

  /** Section 5.2. */
  #text(): string {
    const isHuffman = ((this.#block[this.#position] ?? 0) & 0x80) !== 0;
    const length = this.#integer(7);
    const end = this.#position + length;
    if (end > this.#block.length) throw damaged('a string beyond the end');
    const start = this.#position;
    this.#position = end;
    if (!isHuffman) return this.#block.toString('latin1', start, end);
    const text = decodeHuffman(this.#block.subarray(start, end));
    if (text === undefined) throw damaged('a string that is no Huffman code');
    return text;
  }

  #byte(): number {
    const byte = this.#block[this.#position++];
    if (byte === undefined) throw damaged('the block ends too early');
    return byte;
  }
}

function sizeOf({ name, value }: HeaderField): number {
  return name.length + value.length + entryOverheadBytes;
}

function damaged(what: string): ConnectionError {
  return new ConnectionError(errorCodes.compressionError, what);
}

/** A block that touches no table (section 6.2.2), so that the same one can be sent again and again. Values are latin1. */
export function encodeHeaders(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(fields.map(([name, value]) => Buffer.concat([nameOf(name, value), valueOf(name, value)])));
}

function indexOf(name: string, value?: string): number {
  return staticTable.findIndex((entry) => entry?.name === name && (value === undefined || entry.value === value));
}

function nameOf(name: string, value: string): Buffer {
  const whole = indexOf(name, value);
  if (whole > 0) return integer(0x80, 7, whole);
  const index = indexOf(name);
  return index > 0 ? integer(0, 4, index) : Buffer.concat([Buffer.from([0]), text(name)]);
}

function valueOf(name: string, value: string): Buffer {
  return indexOf(name, value) > 0 ? Buffer.alloc(0) : text(value);
}

function text(value: string): Buffer {
  return Buffer.concat([integer(0, 7, value.length), Buffer.from(value, 'latin1')]);
}

function integer(firstBits: number, prefixBits: number, value: number): Buffer {
  const mask = 2 ** prefixBits - 1;
  if (value < mask) return Buffer.from([firstBits | value]);
  const bytes = [firstBits | mask];
  let rest = value - mask;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}
