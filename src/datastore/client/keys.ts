/** The few things kagent itself does with its keys under `/kagent/`: small texts, over the same socket as everybody. */
import { grpcCodes } from '../../shared/grpc/grpc.ts';
import type { GrpcChannel } from '../../shared/grpc/grpc.ts';
import type { KeyValue } from '../../shared/key-value/key-value.ts';
import { compactedMessage } from '../etcd/etcd.ts';
import { etcdChannel } from './channel.ts';
import type { EtcdEndpoints } from './channel.ts';
import { EtcdCallError } from './errors.ts';
import {
  keysWith,
  oneKey,
  put,
  putIfAbsent,
  readEntries,
  readOutcome,
  readWatchMessage,
  watchFrom,
} from './messages.ts';
import type { WatchMessage } from './messages.ts';

export interface KeyChange {
  readonly key: string;
  /** undefined: deleted. */
  readonly value: string | undefined;
  readonly revision: number;
}

export interface KeyClient extends KeyValue {
  /** In the order of keys, and the revision they were read at: a watch from the next one misses nothing. */
  list(prefix: string): Promise<{ readonly revision: number; readonly entries: ReadonlyMap<string, string> }>;
  /** Until `signal`. @throws {EtcdCallError} when the connection is lost or `fromRevision` is compacted */
  watch(prefix: string, fromRevision: number, signal: AbortSignal): AsyncIterable<KeyChange>;
  close(): Promise<void>;
}

const kv = '/etcdserverpb.KV';

export function connectKeys(endpoints: string | EtcdEndpoints): KeyClient {
  const channel = etcdChannel(endpoints);
  return {
    async get(key) {
      const { entries } = await channel.unary(`${kv}/Range`, oneKey(key), readEntries);
      return entries[0]?.value;
    },
    put: (key, value) => channel.unary(`${kv}/Put`, put(key, value), () => {}),
    create: async (key, value) => (await channel.unary(`${kv}/Txn`, putIfAbsent(key, value), readOutcome)) === 1,
    delete: async (key) => (await channel.unary(`${kv}/DeleteRange`, oneKey(key), readOutcome)) > 0,
    async list(prefix) {
      const { revision, entries } = await channel.unary(`${kv}/Range`, keysWith(prefix), readEntries);
      return { revision, entries: new Map(entries.map(({ key, value }) => [key, value])) };
    },
    watch: (prefix, fromRevision, signal) => watch(channel, prefix, fromRevision, signal),
    close: () => channel.close(),
  };
}

async function* watch(
  channel: GrpcChannel,
  prefix: string,
  startRevision: number,
  signal: AbortSignal,
): AsyncGenerator<KeyChange> {
  const stream = channel.open('/etcdserverpb.Watch/Watch');
  const cancel = (): void => stream.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    stream.send(watchFrom(prefix, startRevision));
    for await (const message of stream.messages) yield* changesOf(readWatchMessage(message));
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', cancel);
    cancel();
  }
}

function changesOf({ canceled, events }: WatchMessage): readonly KeyChange[] {
  if (canceled !== undefined) throw new EtcdCallError(grpcCodes.outOfRange, canceled || compactedMessage);
  return events.map(({ isDelete, entry }) => ({
    key: entry.key,
    value: isDelete ? undefined : entry.value,
    revision: entry.modRevision,
  }));
}
