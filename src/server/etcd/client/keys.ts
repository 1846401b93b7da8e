/** The few things kagent itself does with its keys under `/kagent/`: small texts, over the same door as everybody. */
import { EtcdCallError } from '../errors.ts';
import { compactedMessage, grpcCodes } from '../status.ts';
import { EtcdChannel } from './channel.ts';
import { toBytes, writeDeleteRange, writePut, writeRange, writeTxn, writeWatchCreate } from './requests.ts';
import {
  readDeleteRangeResponse,
  readPutResponse,
  readRangeResponse,
  readTxnResponse,
  readWatchMessage,
} from './responses.ts';
import type { WatchMessage } from './responses.ts';

export interface KeyChange {
  readonly key: string;
  /** undefined: deleted. */
  readonly value: string | undefined;
  readonly revision: number;
}

export interface KeyClient {
  get(key: string): Promise<string | undefined>;
  put(key: string, value: string): Promise<void>;
  /** One transaction: writes unless the key exists. @returns whether it wrote */
  create(key: string, value: string): Promise<boolean>;
  /** @returns whether it was there */
  delete(key: string): Promise<boolean>;
  /** In the order of keys, and the revision they were read at: a watch from the next one misses nothing. */
  list(prefix: string): Promise<{ readonly revision: number; readonly entries: ReadonlyMap<string, string> }>;
  /** Until `signal`. @throws {EtcdCallError} when the connection is lost or `fromRevision` is compacted */
  watch(prefix: string, fromRevision: number, signal: AbortSignal): AsyncIterable<KeyChange>;
  close(): Promise<void>;
}

export function connectKeys(address: string): KeyClient {
  const channel = new EtcdChannel(address);
  const kv = '/etcdserverpb.KV';
  return {
    async get(key) {
      const { kvs } = await channel.unary(
        `${kv}/Range`,
        (m) => writeRange(m, { kind: 'range', key }),
        readRangeResponse,
      );
      return kvs[0] === undefined ? undefined : text(kvs[0].value);
    },
    async put(key, value) {
      await channel.unary(`${kv}/Put`, (m) => writePut(m, { kind: 'put', key, value }), readPutResponse);
    },
    async create(key, value) {
      const request = {
        kind: 'txn',
        compare: [{ key, target: 'mod', result: 'equal', operand: 0 }],
        success: [{ kind: 'put', key, value }],
      } as const;
      const { succeeded } = await channel.unary(`${kv}/Txn`, (m) => writeTxn(m, request), readTxnResponse);
      return succeeded;
    },
    async delete(key) {
      const request = { kind: 'deleteRange', key } as const;
      const write = `${kv}/DeleteRange`;
      const { deleted } = await channel.unary(write, (m) => writeDeleteRange(m, request), readDeleteRangeResponse);
      return deleted > 0;
    },
    async list(prefix) {
      const request = { kind: 'range', key: prefix, rangeEnd: prefixEnd(toBytes(prefix)) } as const;
      const { revision, kvs } = await channel.unary(`${kv}/Range`, (m) => writeRange(m, request), readRangeResponse);
      return { revision, entries: new Map(kvs.map(({ key, value }) => [text(key), text(value)])) };
    },
    watch: (prefix, fromRevision, signal) => watch(channel, prefix, fromRevision, signal),
    close: () => channel.close(),
  };
}

async function* watch(
  channel: EtcdChannel,
  prefix: string,
  startRevision: number,
  signal: AbortSignal,
): AsyncGenerator<KeyChange> {
  const stream = channel.open('/etcdserverpb.Watch/Watch');
  const cancel = (): void => stream.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const rangeEnd = prefixEnd(toBytes(prefix));
    stream.send((m) => writeWatchCreate(m, { key: prefix, rangeEnd, startRevision }));
    for await (const message of stream.messages) yield* changesOf(readWatchMessage(message));
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', cancel);
    cancel();
  }
}

function changesOf(message: WatchMessage): KeyChange[] {
  if (message.canceled) throw new EtcdCallError(grpcCodes.outOfRange, message.cancelReason || compactedMessage);
  return message.events.map(({ type, kv }) => ({
    key: text(kv.key),
    value: type === 'delete' ? undefined : text(kv.value),
    revision: kv.modRevision,
  }));
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

/**
 * The first key after every key with this prefix: `/registry/pods/` gives `/registry/pods0`.
 * @returns a new array of at most `prefix.length` bytes; a single zero byte when all are 0xff (to the end)
 * @see etcd clientv3 `GetPrefixRangeEnd`
 */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  const last = prefix.findLastIndex((byte) => byte < 0xff);
  if (last < 0) return new Uint8Array([0]);
  const end = new Uint8Array(prefix.subarray(0, last + 1)); // copies; Buffer's slice would share memory
  end[last] = (end[last] ?? 0) + 1;
  return end;
}
