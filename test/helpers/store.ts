/** A store of its own for a test: real threads, a real file, no gRPC. */
import { join } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import { openStore, plainRange } from '../../src/datastore/store/store.ts';
import type {
  Key,
  KeyRange,
  LeaseId,
  Operation,
  Put,
  RangeQuery,
  Store,
  StoreOptions,
  Txn,
  WriterWorkerData,
} from '../../src/datastore/store/store.ts';

export async function openTestStore(dir: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  const { port1, port2 } = new MessageChannel();
  const workerData: WriterWorkerData = { path: join(dir, 'store.db'), nativeBinding: undefined, port: port1 };
  const worker = new Worker(new URL('../../src/datastore/store/writer-worker.ts', import.meta.url), {
    workerData,
    transferList: [port1],
  });
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  const store = await openStore({
    writerPort: port2,
    onFailed: (error) => {
      throw error;
    },
    ...options,
  }).catch(async (error: unknown) => {
    await exited;
    throw error;
  });
  const close = store.close.bind(store);
  store.close = async () => {
    await close();
    await exited;
  };
  return store;
}

export function keyOf(text: string): Key {
  return Buffer.from(text, 'latin1') as Uint8Array as Key;
}

export function rangeOf(key: string, rangeEnd?: string): KeyRange {
  return rangeEnd === undefined ? { key: keyOf(key) } : { key: keyOf(key), rangeEnd: keyOf(rangeEnd) };
}

export function rangeQuery(range: KeyRange, options: Partial<RangeQuery> = {}): RangeQuery {
  return { ...plainRange, range, ...options };
}

export function put(key: string, value: string | Uint8Array = '', options: Partial<Put> = {}): Put {
  return {
    kind: 'put',
    key: keyOf(key),
    value: typeof value === 'string' ? Buffer.from(value) : value,
    lease: 0n as LeaseId,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
    ...options,
  };
}

export function txnOf(...success: readonly Operation[]): Txn {
  return { kind: 'txn', compare: [], success, failure: [] };
}
