/**
 * @module
 * The index's side of the writer's thread: collects writes and hands them over in batches.
 *
 * While one batch is being synced to disk the next ones wait at the disk's thread, which commits all of them together as soon
 * as it is free: any number of clients share one fsync. A batch leaves at the end of a turn of the event loop; there is no
 * other delay.
 */
import type { MessagePort } from 'node:worker_threads';
import { BatchBuilder, replayBatch } from './batch.ts';
import type { WriteTarget } from './batch.ts';
import { ForwardedError, StoreBusyError, StoreClosedError, StoreFailedError } from './errors.ts';
import type { ForwardedFailure } from './errors.ts';
import type { HashQuery } from './hash.ts';
import type { FileSize, StoredState } from './sqlite.ts';

const maxInFlight = 4;
/** Done one after the other. */
const maxJobs = 16;
/** While loading: what the disk's thread may be ahead. */
const chunksAhead = 3;

export type ToWriter =
  /** The next part of what is on disk; the last answer is `loaded`. */
  | { readonly kind: 'load' }
  | { readonly kind: 'commit'; readonly epoch: number; readonly batch: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'read'; readonly ticket: number; readonly ids: readonly number[] }
  | { readonly kind: 'size'; readonly ticket: number }
  | { readonly kind: 'job'; readonly ticket: number; readonly job: DiskJob }
  | { readonly kind: 'close' };

/** What takes long, and so is done beside the commits. */
export type DiskJob =
  | { readonly kind: 'hash'; readonly query: HashQuery }
  /** Answers with the path of a file that the asker removes. */
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'defragment' };

/** A hash, or a path. */
export type JobResult = number | string | undefined;

export type FromWriter =
  | { readonly kind: 'versions'; readonly chunk: Uint8Array }
  | { readonly kind: 'loaded'; readonly state: StoredState }
  /** The oldest of those handed over; gives their memory back. */
  | { readonly kind: 'committed'; readonly batches: readonly Uint8Array<ArrayBuffer>[] }
  /** The disk is full: of this epoch nothing more was or will be written. */
  | { readonly kind: 'refused'; readonly epoch: number }
  /** After `refused`: there is room again. */
  | { readonly kind: 'room' }
  | { readonly kind: 'records'; readonly ticket: number; readonly records: Uint8Array }
  | { readonly kind: 'size'; readonly ticket: number; readonly size: FileSize }
  | { readonly kind: 'done'; readonly ticket: number; readonly result: JobResult }
  /** A job could not be done; everything else continues. */
  | { readonly kind: 'undone'; readonly ticket: number; readonly failure: ForwardedFailure }
  | { readonly kind: 'failed'; readonly failure: ForwardedFailure }
  | { readonly kind: 'closed' };

export interface WriterOptions {
  /** The other end is with the writer's thread. */
  readonly port: MessagePort;
  /** Each version on disk, in order, while `load` runs; the record is a view that is valid during the call. */
  readonly onVersion: (id: number, record: Uint8Array) => void;
  /** The oldest batch that was handed over is on disk. */
  readonly onCommitted: () => void;
  /** The disk is full: every batch that was not committed is gone. */
  readonly onRefused: () => void;
  /** The disk has room again. */
  readonly onRoom: () => void;
  /** Nothing will be written any more. Called once. */
  readonly onFailed: (error: Error) => void;
}

interface Settle<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

export class Writer {
  readonly #options: WriterOptions;
  readonly #batch = new BatchBuilder();
  /** Asked and not answered yet, by ticket. */
  readonly #reads = new Map<number, Settle<ReadonlyMap<number, Uint8Array>>>();
  readonly #sizes = new Map<number, Settle<FileSize>>();
  readonly #jobs = new Map<number, Settle<JobResult>>();
  #waitingForLoad: Settle<StoredState> | undefined;
  #waitingForClose: Settle<void> | undefined;
  /** Batches that the writer's thread has and has not committed yet. */
  #inFlight = 0;
  /** Begins anew when what was handed over is refused. */
  #epoch = 0;
  #isScheduled = false;
  #failure: Error | undefined;
  #nextTicket = 1;
  #onTaken: (() => void) | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
    options.port.on('message', (message: FromWriter) => this.#handle(message));
    options.port.on('close', () => this.#fail(new StoreFailedError('the writer ended')));
  }

  load(): Promise<StoredState> {
    return new Promise((resolve, reject) => {
      this.#waitingForLoad = { resolve, reject };
      for (let ahead = 0; ahead < chunksAhead; ahead += 1) this.#send({ kind: 'load' });
    });
  }

  /** Where to put writes; they leave together with all others of their batch. */
  write(): WriteTarget {
    if (this.#failure !== undefined) throw this.#failure;
    this.#schedule();
    return this.#batch;
  }

  /** Something is waiting for the next batch. */
  get hasUnsent(): boolean {
    return !this.#batch.isEmpty;
  }

  /** Called when a batch leaves: what is written afterwards belongs to the next. */
  whenTaken(callback: () => void): void {
    this.#onTaken = callback;
  }

  /** Records of versions that are no longer in memory; those that were dropped meanwhile are missing. */
  read(ids: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>> {
    return this.#ask(this.#reads, (ticket) => ({ kind: 'read', ticket, ids }));
  }

  size(): Promise<FileSize> {
    return this.#ask(this.#sizes, (ticket) => ({ kind: 'size', ticket }));
  }

  async hash(query: HashQuery): Promise<number> {
    return Number(await this.#run({ kind: 'hash', query }));
  }

  /** @returns the path of a file that the caller removes. @throws {ForwardedError} */
  async snapshot(): Promise<string> {
    return String(await this.#run({ kind: 'snapshot' }));
  }

  /** @throws {ForwardedError} */
  async defragment(): Promise<void> {
    await this.#run({ kind: 'defragment' });
  }

  /** The caller has seen to it that nothing is waiting to be written. */
  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        resolve();
        return;
      }
      this.#waitingForClose = { resolve, reject };
      this.#send({ kind: 'close' });
    });
  }

  /** @throws {StoreBusyError} when a further job would have to wait for many others */
  checkJobs(): void {
    if (this.#jobs.size >= maxJobs) throw new StoreBusyError();
  }

  async #run(job: DiskJob): Promise<JobResult> {
    this.checkJobs();
    return this.#ask(this.#jobs, (ticket) => ({ kind: 'job', ticket, job }));
  }

  #ask<T>(waiting: Map<number, Settle<T>>, question: (ticket: number) => ToWriter): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      const ticket = this.#nextTicket++;
      waiting.set(ticket, { resolve, reject });
      this.#send(question(ticket));
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#inFlight >= maxInFlight) return;
    this.#isScheduled = true;
    setImmediate(() => this.#commit());
  }

  #commit(): void {
    this.#isScheduled = false;
    if (this.#failure !== undefined || this.#inFlight >= maxInFlight || this.#batch.isEmpty) return;
    this.#inFlight += 1;
    const batch = this.#batch.take();
    this.#onTaken?.();
    this.#send({ kind: 'commit', epoch: this.#epoch, batch }, [batch.buffer]);
  }

  #startAnew(): void {
    this.#epoch += 1;
    this.#inFlight = 0;
    this.#batch.clear();
    this.#options.onRefused();
  }

  #send(message: ToWriter, transfer: ArrayBuffer[] = []): void {
    this.#options.port.postMessage(message, transfer);
  }

  #handle(message: FromWriter): void {
    switch (message.kind) {
      case 'versions':
        this.#send({ kind: 'load' }); // the disk's thread reads on while this one takes the chunk in
        replayBatch(message.chunk, onlyVersions(this.#options.onVersion));
        break;
      case 'loaded':
        this.#waitingForLoad?.resolve(message.state);
        break;
      case 'committed':
        this.#inFlight -= message.batches.length;
        for (const batch of message.batches) this.#batch.reuse(batch);
        this.#commit(); // the next one first: its fsync runs while the answers of this one go out
        for (const _ of message.batches) this.#options.onCommitted();
        break;
      case 'refused':
        if (message.epoch === this.#epoch) this.#startAnew();
        break;
      case 'room':
        this.#options.onRoom();
        break;
      case 'records': {
        const records = new Map<number, Uint8Array>();
        replayBatch(
          message.records,
          onlyVersions((id, record) => void records.set(id, record)),
        );
        this.#reads.get(message.ticket)?.resolve(records);
        this.#reads.delete(message.ticket);
        break;
      }
      case 'size':
        this.#sizes.get(message.ticket)?.resolve(message.size);
        this.#sizes.delete(message.ticket);
        break;
      case 'done':
        this.#jobs.get(message.ticket)?.resolve(message.result);
        this.#jobs.delete(message.ticket);
        break;
      case 'undone':
        this.#jobs.get(message.ticket)?.reject(new ForwardedError(message.failure));
        this.#jobs.delete(message.ticket);
        break;
      case 'failed':
        this.#fail(new ForwardedError(message.failure));
        break;
      case 'closed':
        this.#failure = new StoreClosedError();
        for (const job of this.#jobs.values()) job.reject(this.#failure);
        this.#waitingForClose?.resolve();
        break;
    }
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const waiting of [...this.#reads.values(), ...this.#sizes.values(), ...this.#jobs.values()])
      waiting.reject(error);
    this.#waitingForLoad?.reject(error);
    this.#waitingForClose?.reject(error);
    this.#options.onFailed(error);
  }
}

function onlyVersions(putVersion: WriteTarget['putVersion']): WriteTarget {
  const unexpected = (): never => {
    throw new RangeError('a batch of versions holds something else');
  };
  return {
    putVersion,
    dropVersion: unexpected,
    saveLease: unexpected,
    dropLease: unexpected,
    setCompactRevision: unexpected,
    saveAlarm: unexpected,
  };
}
