import type { ForwardedFailure, Store, StoreOptions, StoreStats } from '../store/store.ts';
import type { ListenTls } from './listen.ts';
import type { MessagePort } from 'node:worker_threads';

export interface EtcdServerOptions {
  readonly store: Store;
  /** `unix:///PATH`, `http://127.0.0.1:PORT` or `https://HOST:PORT`. */
  readonly listen: readonly string[];
  readonly tls?: ListenTls;
  /** May use a unix socket beside root. */
  readonly group?: number;
  readonly memberName?: string;
  readonly progressIntervalMs?: number;
}

export interface EtcdServer {
  refuseNew(): void;
  close(): Promise<void>;
}

export interface DatastoreWorkerData {
  readonly server: Omit<EtcdServerOptions, 'store'>;
  readonly store: Pick<StoreOptions, 'quotaBytes'>;
  /** To the writer's thread. */
  readonly writerPort: MessagePort;
}

export type ToDatastore = { readonly kind: 'stop' } | { readonly kind: 'stats'; readonly ticket: number };

export type FromDatastore =
  | { readonly kind: 'ready' }
  | { readonly kind: 'stats'; readonly ticket: number; readonly stats: StoreStats }
  | { readonly kind: 'failed'; readonly failure: ForwardedFailure }
  | { readonly kind: 'stopped' };
