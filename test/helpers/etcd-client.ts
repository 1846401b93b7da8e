/** Every call of etcd's API that the tests make, in a form that reads well in a test. */
import { etcdChannel } from '../../src/datastore/client/channel.ts';
import type { ClientStream, GrpcChannel } from '../../src/shared/grpc/grpc.ts';
import {
  writeDeleteRange,
  writePut,
  writeRange,
  writeTxn,
  writeWatchCancel,
  writeWatchCreate,
  writeWatchProgress,
} from './etcd-requests.ts';
import type {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  Text,
  TxnRequest,
  WatchCreateRequest,
} from './etcd-requests.ts';
import {
  readDeleteRangeResponse,
  readHeaderOnly,
  readLeaseResponse,
  readPutResponse,
  readRangeResponse,
  readRangeStreamResponse,
  readTxnResponse,
  readWatchMessage,
} from './etcd-responses.ts';
import type {
  DeleteRangeResponse,
  LeaseResponse,
  PutResponse,
  RangeResponse,
  TxnResponse,
  WatchMessage,
} from './etcd-responses.ts';
import type { ProtoReader, ProtoWriter } from '../../src/shared/protobuf/protobuf.ts';

type Options<T> = Partial<Omit<T, 'kind' | 'key'>>;

export class TestClient {
  readonly channel: GrpcChannel;

  constructor(address: string) {
    this.channel = etcdChannel(address);
  }

  range(key: Text, options: Options<RangeRequest> = {}): Promise<RangeResponse> {
    return this.#kv('Range', (m) => writeRange(m, { kind: 'range', key, ...options }), readRangeResponse);
  }

  async rangeStream(key: Text, options: Options<RangeRequest> = {}): Promise<RangeResponse[]> {
    const stream = this.channel.open('/etcdserverpb.KV/RangeStream');
    stream.send((m) => writeRange(m, { kind: 'range', key, ...options }));
    stream.end();
    const chunks: RangeResponse[] = [];
    for await (const message of stream.messages) chunks.push(readRangeStreamResponse(message));
    return chunks;
  }

  put(key: Text, value: Text = '', options: Options<PutRequest> = {}): Promise<PutResponse> {
    return this.#kv('Put', (m) => writePut(m, { kind: 'put', key, value, ...options }), readPutResponse);
  }

  delete(key: Text, options: Options<DeleteRangeRequest> = {}): Promise<DeleteRangeResponse> {
    const request = { kind: 'deleteRange', key, ...options } as const;
    return this.#kv('DeleteRange', (m) => writeDeleteRange(m, request), readDeleteRangeResponse);
  }

  txn(request: Omit<TxnRequest, 'kind'>): Promise<TxnResponse> {
    return this.#kv('Txn', (m) => writeTxn(m, { kind: 'txn', ...request }), readTxnResponse);
  }

  compact(revision: number, physical = false): Promise<number> {
    const write = (m: ProtoWriter): void => {
      m.int(1, revision);
      m.bool(2, physical);
    };
    return this.#kv('Compact', write, readHeaderOnly);
  }

  grant(ttl: number, id = 0n): Promise<LeaseResponse> {
    const write = (m: ProtoWriter): void => {
      m.int(1, ttl);
      m.bigint(2, id);
    };
    return this.channel.unary('/etcdserverpb.Lease/LeaseGrant', write, readLeaseResponse);
  }

  revoke(id: bigint): Promise<number> {
    return this.channel.unary('/etcdserverpb.Lease/LeaseRevoke', (m) => m.bigint(1, id), readHeaderOnly);
  }

  timeToLive(id: bigint, withKeys = false): Promise<LeaseResponse> {
    const write = (m: ProtoWriter): void => {
      m.bigint(1, id);
      m.bool(2, withKeys);
    };
    return this.channel.unary('/etcdserverpb.Lease/LeaseTimeToLive', write, readLeaseResponse);
  }

  leases(): Promise<bigint[]> {
    return this.channel.unary('/etcdserverpb.Lease/LeaseLeases', () => {}, readLeases);
  }

  async keepAlive(id: bigint): Promise<LeaseResponse> {
    const stream = this.channel.open('/etcdserverpb.Lease/LeaseKeepAlive');
    stream.send((m) => m.bigint(1, id));
    for await (const message of stream.messages) {
      stream.cancel();
      return readLeaseResponse(message);
    }
    throw new Error('no answer');
  }

  watchStream(): TestWatchStream {
    return new TestWatchStream(this.channel.open('/etcdserverpb.Watch/Watch'));
  }

  async currentRevision(): Promise<number> {
    return (await this.range('current revision')).revision;
  }

  close(): Promise<void> {
    return this.channel.close();
  }

  #kv<T>(method: string, write: (m: ProtoWriter) => void, read: (reply: ProtoReader) => T): Promise<T> {
    return this.channel.unary(`/etcdserverpb.KV/${method}`, write, read);
  }
}

export class TestWatchStream {
  readonly #stream: ClientStream;
  readonly #messages: AsyncIterator<ProtoReader>;

  constructor(stream: ClientStream) {
    this.#stream = stream;
    this.#messages = stream.messages[Symbol.asyncIterator]();
  }

  create(key: Text, options: Partial<Omit<WatchCreateRequest, 'key'>> = {}): void {
    this.#stream.send((m) => writeWatchCreate(m, { key, ...options }));
  }

  /** Creates a watch and takes its first answer. */
  async created(key: Text, options: Partial<Omit<WatchCreateRequest, 'key'>> = {}): Promise<WatchMessage> {
    this.create(key, options);
    return this.next();
  }

  cancel(watchId: number): void {
    this.#stream.send((m) => writeWatchCancel(m, watchId));
  }

  progress(): void {
    this.#stream.send(writeWatchProgress);
  }

  async next(): Promise<WatchMessage> {
    const { value, done } = await this.#messages.next();
    if (done === true) throw new Error('the stream has ended');
    return readWatchMessage(value);
  }

  /** Messages until there have been so many events. */
  async events(count: number): Promise<WatchMessage['events']> {
    const events = [];
    while (events.length < count) events.push(...(await this.next()).events);
    return events;
  }

  close(): void {
    this.#stream.cancel();
  }
}

function readLeases(reader: ProtoReader): bigint[] {
  const ids: bigint[] = [];
  while (reader.next()) {
    if (reader.field !== 2) {
      reader.skip();
      continue;
    }
    const lease = reader.message();
    while (lease.next()) ids.push(lease.bigint());
  }
  return ids;
}

/** `/a/` → `/a0` */
export function prefix(key: string): { readonly rangeEnd: string } {
  const last = key.length - 1;
  return { rangeEnd: key.slice(0, last) + String.fromCharCode(key.charCodeAt(last) + 1) };
}
