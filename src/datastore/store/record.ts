/**
 * @module
 * The stored form of one version of a key: an encoded mvccpb.KeyValue, as etcd's own backend keeps it, so that a server
 * copies it into its answers as it is. The value stands last, and the lease before it: what `keys_only` asks for is the front.
 * Spec: etcd v3.7 kv.proto.
 */
import { ProtoReader, ProtoWriter } from '../../shared/protobuf/protobuf.ts';
import type { KeyValue, LeaseId, Revision } from './shapes.ts';

export class RecordEncoder {
  readonly #writer = new ProtoWriter(2048);

  /** @returns a view that is valid until the next call */
  encode(key: string, version: Omit<KeyValue, 'key'>): Uint8Array {
    this.#writer.reset();
    writeRecord(this.#writer, key, version);
    return this.#writer.finish();
  }
}

export function encodeRecord(key: string, version: Omit<KeyValue, 'key'>): Uint8Array {
  const writer = new ProtoWriter(key.length + version.value.length + 64);
  writeRecord(writer, key, version);
  return writer.finish();
}

function writeRecord(writer: ProtoWriter, key: string, version: Omit<KeyValue, 'key'>): void {
  writer.latin1(1, key);
  writer.int(2, version.createRevision);
  writer.int(3, version.modRevision);
  writer.int(4, version.version);
  writer.bigint(6, version.lease);
  writer.bytes(5, version.value);
}

export function decodeRecord(record: Uint8Array): KeyValue {
  const kv = {
    key: empty,
    createRevision: 0 as Revision,
    modRevision: 0 as Revision,
    version: 0,
    lease: 0n as LeaseId,
    value: empty,
  };
  const reader = new ProtoReader(asBuffer(record));
  while (reader.next()) {
    if (reader.field === 1) kv.key = reader.bytesView();
    else if (reader.field === 2) kv.createRevision = reader.int() as Revision;
    else if (reader.field === 3) kv.modRevision = reader.int() as Revision;
    else if (reader.field === 4) kv.version = reader.int();
    else if (reader.field === 5) kv.value = reader.bytesView();
    else if (reader.field === 6) kv.lease = reader.bigint() as LeaseId;
    else reader.skip();
  }
  return kv as KeyValue;
}

/** As `decodeRecord` has it, without the rest. */
export function modRevisionOf(record: Uint8Array): Revision {
  const reader = new ProtoReader(asBuffer(record));
  while (reader.next()) {
    if (reader.field === 3) return reader.int() as Revision;
    reader.skip();
  }
  return 0 as Revision;
}

const empty: Buffer = Buffer.alloc(0);

export function valueOf(record: Uint8Array): Buffer {
  return asBuffer(decodeRecord(record).value);
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A key as the index keeps it: one code unit a byte. */
export function keyText(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('latin1');
}

export function keyBytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}
