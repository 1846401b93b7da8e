/**
 * Everything that an etcd holds at one revision, for the etcd that it moves into: `etcd-import` of the bundle reads these records
 * (components/etcd/moves says how they look). Spec: etcd v3.7 rpc.proto, mvcc kv.proto, lease.proto.
 */
import { createHash } from 'node:crypto';
import type { GrpcChannel } from '../../shared/grpc/grpc.ts';
import { ProtoReader, ProtoWriter, readFields } from '../../shared/protobuf/protobuf.ts';
import { etcdChannel } from './channel.ts';
import type { EtcdEndpoints } from './channel.ts';

/** Of all keys in their order, with values, revisions, versions and leases. */
export interface Digest {
  readonly keys: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

export interface Export {
  /** To be read once, to its end. @throws {EtcdCallError} */
  readonly records: AsyncIterable<Buffer>;
  /** Of what was read. */
  digest(): Digest;
  close(): Promise<void>;
}

const pageKeys = 500;
const all = Buffer.from([0]);

export function exportAll(endpoints: string | EtcdEndpoints): Export {
  const channel = etcdChannel(endpoints);
  const hash = createHash('sha256');
  let keys = 0;
  let sum: string | undefined;

  async function* records(): AsyncGenerator<Buffer> {
    const { revision } = await range(channel, { from: all, limit: 1, revision: 0 });
    yield record('r', Buffer.from(String(revision)));
    for (const lease of await leases(channel)) yield record('l', lease);
    for (let from = all; ;) {
      const page = await range(channel, { from, limit: pageKeys, revision });
      for (const message of page.keyValues) {
        const { key, value, numbers } = readKeyValue(message);
        hash.update(key).update(value).update(numbers);
        keys += 1;
        from = Buffer.concat([key, all]);
        yield record('k', message);
      }
      if (page.keyValues.length < pageKeys) break;
    }
    yield record('e', Buffer.alloc(0));
  }

  return {
    records: records(),
    digest() {
      sum ??= hash.digest('hex');
      return { keys, sha256: sum };
    },
    close: () => channel.close(),
  };
}

function record(kind: 'r' | 'l' | 'k' | 'e', content: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(content.length);
  head.write(kind, 4);
  return Buffer.concat([head, content]);
}

interface Page {
  readonly revision: number;
  readonly keyValues: readonly Buffer[];
}

function range(
  channel: GrpcChannel,
  asked: { readonly from: Buffer; readonly limit: number; readonly revision: number },
): Promise<Page> {
  return channel.unary(
    '/etcdserverpb.KV/Range',
    (message) => {
      message.bytes(1, asked.from);
      message.bytes(2, all); // to the end
      message.int(3, asked.limit);
      message.int(4, asked.revision);
    },
    (reply) => {
      let revision = 0;
      const keyValues: Buffer[] = [];
      readFields(reply, {
        1: () => readFields(reply.message(), { 3: (header) => (revision = header.int()) }),
        2: () => keyValues.push(Buffer.from(reply.bytesView())),
      });
      return { revision, keyValues };
    },
  );
}

function readKeyValue(message: Buffer) {
  let [key, value] = [Buffer.alloc(0), Buffer.alloc(0)];
  const numbers = Buffer.alloc(32);
  const number = (at: number) => (reader: ProtoReader) => numbers.writeBigInt64BE(reader.bigint(), at * 8);
  readFields(new ProtoReader(message), {
    1: (reader) => (key = Buffer.from(reader.bytesView())),
    2: number(0),
    3: number(1),
    4: number(2),
    5: (reader) => (value = Buffer.from(reader.bytesView())),
    6: number(3),
  });
  return { key, value, numbers };
}

/** Each as a leasepb.Lease, with what is left of it. */
async function leases(channel: GrpcChannel): Promise<readonly Buffer[]> {
  const ids = await channel.unary(
    '/etcdserverpb.Lease/LeaseLeases',
    () => {},
    (reply) => {
      const found: bigint[] = [];
      readFields(reply, { 2: () => readFields(reply.message(), { 1: (lease) => found.push(lease.bigint()) }) });
      return found;
    },
  );
  const known: Buffer[] = [];
  for (const id of ids) {
    const { left, granted } = await timeToLive(channel, id);
    if (left <= 0) continue; // it has just run out
    const lease = new ProtoWriter();
    lease.bigint(1, id);
    lease.int(2, granted);
    lease.int(3, left);
    known.push(Buffer.from(lease.finish()));
  }
  return known;
}

function timeToLive(channel: GrpcChannel, id: bigint): Promise<{ readonly left: number; readonly granted: number }> {
  return channel.unary(
    '/etcdserverpb.Lease/LeaseTimeToLive',
    (message) => message.bigint(1, id),
    (reply) => {
      let [left, granted] = [0, 0];
      readFields(reply, { 3: () => (left = reply.int()), 4: () => (granted = reply.int()) });
      return { left, granted };
    },
  );
}
