/** What an operator asks of a datastore that is being served. */
import type { PrefixUsage, StoreStats } from '../store/store.ts';
import { kagentService } from '../etcd/etcd.ts';
import type { Write } from '../../shared/grpc/grpc.ts';
import type { ProtoReader } from '../../shared/protobuf/protobuf.ts';
import { etcdChannel } from './channel.ts';
import type { EtcdEndpoints } from './channel.ts';

export type DatastoreFacts = StoreStats & { readonly alarms: readonly string[] };

export interface DatastoreClient {
  stats(): Promise<DatastoreFacts>;
  usage(depth: number, sinceRevision: number): Promise<readonly PrefixUsage[]>;
  /** Resolves when the old versions are gone from the disk. @throws {EtcdCallError} */
  compact(revision: number): Promise<void>;
  defragment(): Promise<void>;
  /** The file in pieces, its sha256 at the end. @throws {EtcdCallError} */
  snapshot(): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

/** Connects with the first call. */
export function connectDatastore(endpoints: string | EtcdEndpoints): DatastoreClient {
  const channel = etcdChannel(endpoints);
  const ask = async <T>(method: string, question: unknown): Promise<T> =>
    (await channel.unary(
      `${kagentService}/${method}`,
      (message) => message.text(1, JSON.stringify(question)),
      (reply) => JSON.parse(bytesOf(reply, 1).toString('utf8')),
    )) as T;
  return {
    stats: () => ask('Stats', {}),
    usage: (depth, sinceRevision) => ask('Usage', { depth, sinceRevision }),
    compact: (revision) => channel.unary('/etcdserverpb.KV/Compact', compaction(revision), () => {}),
    defragment: () =>
      channel.unary(
        '/etcdserverpb.Maintenance/Defragment',
        () => {},
        () => {},
      ),
    async *snapshot() {
      const stream = channel.open('/etcdserverpb.Maintenance/Snapshot');
      stream.send(() => {});
      stream.end();
      for await (const part of stream.messages) yield bytesOf(part, 3);
    },
    close: () => channel.close(),
  };
}

function compaction(revision: number): Write {
  return (message) => {
    message.int(1, revision);
    message.bool(2, true);
  };
}

function bytesOf(message: ProtoReader, field: number): Buffer {
  let bytes = Buffer.alloc(0);
  while (message.next()) {
    if (message.field === field) bytes = Buffer.from(message.bytesView());
    else message.skip();
  }
  return bytes;
}
