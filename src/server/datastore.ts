/**
 * @module
 * The datastore as the rest of the process sees it: two worker threads, one for the etcd door, the index and the watches,
 * one for the disk. Nothing here is on the way of a request; what the supervisor does delays no write.
 *
 *   kube-apiserver ──gRPC──▶ datastore-worker ──batches──▶ writer-worker ──▶ store.db
 */
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import type { Worker, WorkerOptions } from 'node:worker_threads';
import { makeFolder } from '../shared/files/files.ts';
import { nativeAddonPath, startWorker } from '../shared/assets/assets.ts';
import type { Component, SaysWait } from '../shared/component/component.ts';
import { conditionTracker } from '../shared/component/component.ts';
import { messageOf } from '../shared/errors.ts';
import type { Log } from '../shared/log/log.ts';
import { settleAfterStart } from '../shared/settle.ts';
import { watchStore } from './datastore-liveness.ts';
import { connectKeys } from './etcd/etcd.ts';
import type { DatastoreWorkerData, FromDatastore, KeyClient, ListenTls, ToDatastore } from './etcd/etcd.ts';
import { ForwardedError, StoreFailedError } from './store/store.ts';
import type { StoreStats, WriterWorkerData } from './store/store.ts';

/** What a component says that waits for its first answer. */
export const asksDatastore: Parameters<SaysWait> = [
  'AskingDatastore',
  'the datastore has not answered yet; see whether its disk is slow or full',
];

export interface DatastoreOptions {
  /** The folder of store.db. */
  readonly dir: string;
  /** `unix:///PATH`, `http://127.0.0.1:PORT` or `https://HOST:PORT`, which needs `tls`. */
  readonly listen: readonly string[];
  readonly tls?: ListenTls;
  /** May use a unix socket beside root; by its number. */
  readonly group?: number | undefined;
  /** How often an idle watch with `progress_notify` hears of the newest revision; etcd: 10 minutes. */
  readonly progressIntervalMs?: number;
  /** What the file may use, then NOSPACE; 0: etcd's default of 2 GiB. */
  readonly quotaBytes?: number;
  /** Where the executable unpacks SQLite's addon to. */
  readonly addonDir?: string;
  /** The store cannot write, or its thread died: everything that was promised is on disk, nothing more will be. */
  readonly onFatal: (error: Error) => void;
}

export interface Datastore {
  stats(): Promise<StoreStats>;
  /** Resolves when everything accepted is on disk and both threads have ended. */
  stop(): Promise<void>;
}

/** Enough for a busy server; less than Node would take. */
const doorLimits: WorkerOptions['resourceLimits'] = { maxYoungGenerationSizeMb: 16 };
const writerLimits: WorkerOptions['resourceLimits'] = { maxYoungGenerationSizeMb: 2 };

/** @throws {ForwardedError} with the code of what went wrong in a thread, such as STORE_LOCKED */
export async function startDatastore(options: DatastoreOptions): Promise<Datastore> {
  makeFolder(options.dir, 0o700);
  const { port1, port2 } = new MessageChannel();
  const writerData: WriterWorkerData = {
    path: join(options.dir, 'store.db'),
    nativeBinding: nativeAddonPath(options.addonDir),
    port: port1,
  };
  const { listen, tls, group, progressIntervalMs, quotaBytes = 0 } = options;
  const doorData: DatastoreWorkerData = {
    door: {
      listen,
      ...(tls && { tls }),
      ...(group !== undefined && { group }),
      ...(progressIntervalMs !== undefined && { progressIntervalMs }),
    },
    store: { quotaBytes },
    writerPort: port2,
  };
  const writer = startWorker('server/store/writer-worker', {
    workerData: writerData,
    transferList: [port1],
    resourceLimits: writerLimits,
  });
  const door = startWorker('server/etcd/datastore-worker', {
    workerData: doorData,
    transferList: [port2],
    resourceLimits: doorLimits,
  });
  const threads = new DatastoreThreads(door, writer, options.onFatal);
  await threads.ready;
  return threads;
}

class DatastoreThreads implements Datastore {
  readonly ready: Promise<void>;
  private readonly door: Worker;
  private readonly exits: Promise<unknown>;
  private readonly statsWaiting = new Map<number, (stats: StoreStats) => void>();
  private nextTicket = 1;
  private isStopping = false;
  private isReady = false;
  private hasFailed = false;
  private readonly onFatal: (error: Error) => void;

  constructor(door: Worker, writer: Worker, onFatal: (error: Error) => void) {
    this.door = door;
    this.onFatal = onFatal;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    const fail = (error: Error): void => {
      this.fail(error);
      reject(error);
    };
    door.on('message', (message: FromDatastore) => this.handle(message, resolve, fail));
    door.on('exit', () => {
      fail(new StoreFailedError('its thread ended'));
      void writer.terminate();
    });
    for (const worker of [door, writer]) worker.on('error', fail);
    this.exits = Promise.all([door, writer].map((worker) => new Promise((done) => worker.once('exit', done))));
  }

  stats(): Promise<StoreStats> {
    const ticket = this.nextTicket++;
    this.send({ kind: 'stats', ticket });
    return new Promise((resolve) => this.statsWaiting.set(ticket, resolve));
  }

  async stop(): Promise<void> {
    if (!this.isStopping) this.send({ kind: 'stop' });
    this.isStopping = true;
    await this.exits;
  }

  private send(message: ToDatastore): void {
    this.door.postMessage(message);
  }

  private handle(message: FromDatastore, onReady: () => void, fail: (error: Error) => void): void {
    switch (message.kind) {
      case 'ready':
        this.isReady = true;
        onReady();
        break;
      case 'stats':
        this.statsWaiting.get(message.ticket)?.(message.stats);
        this.statsWaiting.delete(message.ticket);
        break;
      case 'failed':
        fail(new ForwardedError(message.code, message.message));
        break;
      case 'stopped':
        break;
    }
  }

  /** Before it is ready the caller of `startDatastore` hears of it; afterwards `onFatal`, once. */
  private fail(error: Error): void {
    if (this.isStopping || this.hasFailed) return;
    this.hasFailed = true;
    if (this.isReady) this.onFatal(error);
  }
}

export interface DatastoreComponentOptions {
  readonly dir: string;
  readonly socketPath: string;
  /** Of kube-apiserver; undefined if it is root. */
  readonly group?: number | undefined;
  readonly addonDir?: string;
  /** 0: etcd's default of 2 GiB. */
  readonly quotaBytes?: number;
  readonly log: Log;
  readonly onFatal: (error: Error) => void;
}

/** The datastore of a server; `keys` reaches it over the same socket as kube-apiserver. */
export type DatastoreComponent = Component & { readonly keys: KeyClient };

export function datastoreComponent(options: DatastoreComponentOptions): DatastoreComponent {
  const { socketPath, log } = options;
  const condition = conditionTracker();
  const address = `unix://${socketPath}`;
  const keys = connectKeys(address);
  const stopping = new AbortController();
  let datastore: Datastore | undefined;
  const onFatal = (error: Error): void => {
    stopping.abort();
    condition.set('False', 'Failed', error.message);
    log.error('datastore failed', { error });
    options.onFatal(error);
  };
  return {
    name: 'datastore',
    after: [],
    keys,
    async start() {
      condition.set('False', 'Opening', `opens store.db in ${options.dir}; a large one on a slow disk takes its time`);
      try {
        datastore = await startDatastore({ ...options, listen: [address], onFatal });
        condition.set('True', 'Serving', '');
        const started = datastore;
        void watchStore({ ask: () => started.stats(), condition, dir: options.dir, log }, stopping.signal);
        const { revision, keys: keyCount, fileSizeBytes } = await datastore.stats();
        log.info('datastore ready', { revision, keys: keyCount, fileSizeBytes });
      } catch (error) {
        condition.set('False', 'Failed', messageOf(error));
        throw error;
      }
    },
    async stop() {
      stopping.abort();
      await keys.close();
      await datastore?.stop();
      condition.set('False', 'Stopped', '');
    },
    health: () => condition.current(),
  };
}

/** `kagent datastore serve`: the store alone, until `signal`. @throws when it fails */
export async function runDatastoreServe(
  options: Omit<DatastoreOptions, 'onFatal'>,
  signal: AbortSignal,
): Promise<void> {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  const datastore = await startDatastore({ ...options, onFatal: reject });
  settleAfterStart();
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([aborted, failed]);
  await datastore.stop();
}
