/**
 * @module
 * The hash over all versions, equal to that of an etcd with the same history: each version as etcd's own backend keeps
 * it, which differs from a record in the order of two fields and in the key in front.
 * Spec: etcd v3.7 mvcc/hash.go and mvcc/revision.go.
 */
import { crc32c } from './crc32c.ts';
import { ProtoWriter } from '../../shared/protobuf/protobuf.ts';
import { decodeRecord } from './record.ts';
import type { KeyValue, Revision } from './shapes.ts';

export interface HashQuery {
  readonly revision: Revision;
  readonly compactRevision: Revision;
  /** Versions up to the compacted revision that are still current at `revision`; those that are not may be gone already. */
  readonly currentIds: ReadonlySet<number>;
}

export interface StoredVersion {
  readonly id: number;
  /** Its place among the versions of its revision, from 0. */
  readonly sub: number;
  readonly record: Uint8Array;
}

/** The name of etcd's bucket for keys. */
const bucketName = Buffer.from('key');

export class VersionHasher {
  readonly #query: HashQuery;
  readonly #revisionKey = Buffer.from('00000000_00000000t');
  readonly #writer = new ProtoWriter(2048);
  #crc = crc32c(bucketName);

  constructor(query: HashQuery) {
    this.#query = query;
  }

  get hash(): number {
    return this.#crc;
  }

  /** In the order of revisions. @returns false when no later version belongs to the hash */
  add({ id, sub, record }: StoredVersion): boolean {
    const { revision, compactRevision, currentIds } = this.#query;
    const kv = decodeRecord(record);
    if (kv.modRevision > revision) return false;
    if (kv.modRevision <= compactRevision && !currentIds.has(id)) return true;
    this.#crc = crc32c(this.#backendKey(kv, sub), this.#crc);
    this.#crc = crc32c(this.#backendValue(kv), this.#crc);
    return true;
  }

  /** A deletion is marked with a `t`, for tombstone. */
  #backendKey({ modRevision, version }: KeyValue, sub: number): Buffer {
    this.#revisionKey.writeBigUInt64BE(BigInt(modRevision), 0);
    this.#revisionKey.writeBigUInt64BE(BigInt(sub), 9);
    return version === 0 ? this.#revisionKey : this.#revisionKey.subarray(0, -1);
  }

  #backendValue({ key, createRevision, modRevision, version, value, lease }: KeyValue): Buffer {
    this.#writer.reset();
    this.#writer.bytes(1, key);
    if (version > 0) {
      this.#writer.int(2, createRevision);
      this.#writer.int(3, modRevision);
      this.#writer.int(4, version);
      this.#writer.bytes(5, value);
      this.#writer.bigint(6, lease);
    }
    return this.#writer.finish();
  }
}
