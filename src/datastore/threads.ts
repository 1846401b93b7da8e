/**
 * The datastore's two worker threads: one for etcd's services, the index and the watches, one for the disk. Nothing here is on
 * the path of a request; what the supervisor does delays no write.
 *
 *   kube-apiserver ──gRPC──▶ datastore-worker ──batches──▶ writer-worker ──▶ store.db
 */
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import type { Worker, WorkerOptions } from 'node:worker_threads';
import { nativeAddonPath, startWorker } from '../host/assets/assets.ts';
import { makeFolder } from '../shared/files/files.ts';
import type { DatastoreWorkerData, FromDatastore, ListenTls, ToDatastore } from './etcd/etcd.ts';
import { ForwardedError, StoreFailedError } from './store/store.ts';
import type { StoreStats, WriterWorkerData } from './store/store.ts';

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
const serverLimits: WorkerOptions['resourceLimits'] = { maxYoungGenerationSizeMb: 16 };
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
  const serverData: DatastoreWorkerData = {
    server: {
      listen,
      ...(tls && { tls }),
      ...(group !== undefined && { group }),
      ...(progressIntervalMs !== undefined && { progressIntervalMs }),
    },
    store: { quotaBytes },
    writerPort: port2,
  };
  const writer = startWorker('datastore/store/writer-worker', {
    workerData: writerData,
    transferList: [port1],
    resourceLimits: writerLimits,
  });
  const server = startWorker('datastore/etcd/datastore-worker', {
    workerData: serverData,
    transferList: [port2],
    resourceLimits: serverLimits,
  });
  const threads = new DatastoreThreads(server, writer, options.onFatal);
  await threads.ready;
  return threads;
}

class DatastoreThreads implements Datastore {
  readonly ready: Promise<void>;
  readonly #server: Worker;
  readonly #exits: Promise<unknown>;
  readonly #statsWaiting = new Map<number, (stats: StoreStats) => void>();
  #nextTicket = 1;
  #isStopping = false;
  #isReady = false;
  #hasFailed = false;
  readonly #onFatal: (error: Error) => void;

  constructor(server: Worker, writer: Worker, onFatal: (error: Error) => void) {
    this.#server = server;
    this.#onFatal = onFatal;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    const fail = (error: Error): void => {
      this.#fail(error);
      reject(error);
    };
    server.on('message', (message: FromDatastore) => this.#handle(message, resolve, fail));
    server.on('exit', () => {
      fail(new StoreFailedError('its thread ended'));
      void writer.terminate();
    });
    for (const worker of [server, writer]) worker.on('error', fail);
    this.#exits = Promise.all([server, writer].map((worker) => new Promise((done) => worker.once('exit', done))));
  }

  stats(): Promise<StoreStats> {
    const ticket = this.#nextTicket++;
    this.#send({ kind: 'stats', ticket });
    return new Promise((resolve) => this.#statsWaiting.set(ticket, resolve));
  }

  async stop(): Promise<void> {
    if (!this.#isStopping) this.#send({ kind: 'stop' });
    this.#isStopping = true;
    await this.#exits;
  }

  #send(message: ToDatastore): void {
    this.#server.postMessage(message);
  }

  #handle(message: FromDatastore, onReady: () => void, fail: (error: Error) => void): void {
    switch (message.kind) {
      case 'ready':
        this.#isReady = true;
        onReady();
        break;
      case 'stats':
        this.#statsWaiting.get(message.ticket)?.(message.stats);
        this.#statsWaiting.delete(message.ticket);
        break;
      case 'failed':
        fail(new ForwardedError(message.failure));
        break;
      case 'stopped':
        break;
    }
  }

  /** Before it is ready the caller of `startDatastore` hears of it; afterwards `onFatal`, once. */
  #fail(error: Error): void {
    if (this.#isStopping || this.#hasFailed) return;
    this.#hasFailed = true;
    if (this.#isReady) this.#onFatal(error);
  }
}
