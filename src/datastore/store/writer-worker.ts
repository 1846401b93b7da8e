/**
 * @module
 * The writer's thread: one SQLite file, one commit after the other. Nothing else runs here, so that a slow disk
 * holds up nobody but those who wait for it.
 */
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { DiskJobs, removeCopies } from './disk-jobs.ts';
import { forwardable } from './errors.ts';
import { Reserve } from './reserve.ts';
import { failureIn } from './failure.ts';
import { SqliteFile } from './sqlite.ts';
import { settleAfterStart } from '../../shared/settle.ts';
import type { FromWriter, ToWriter } from './writer.ts';

type CommitMessage = Extract<ToWriter, { readonly kind: 'commit' }>;

export interface WriterWorkerData {
  readonly path: string;
  readonly nativeBinding: string | undefined;
  readonly port: MessagePort;
}

/** Load, then batch after batch, jobs between them; a commit that fails ends it. */
class WriterThread {
  readonly #path: string;
  readonly #nativeBinding: string | undefined;
  readonly #port: MessagePort;
  readonly #reserve: Reserve;
  #file: SqliteFile | undefined;
  #jobs: DiskJobs | undefined;
  #unread: Generator<Uint8Array<ArrayBuffer>> | undefined;
  #isLoaded = false;
  #hasFailed = false;
  /** Batches up to this epoch go with one that found no room: they were decided on top of it. */
  #refusedEpoch = -1;

  constructor({ path, nativeBinding, port }: WriterWorkerData) {
    this.#path = path;
    this.#nativeBinding = nativeBinding;
    this.#port = port;
    this.#reserve = new Reserve(`${path}.reserve`, {
      holeBytes: () => this.#file?.holeBytes() ?? 0,
      giveBack: () => this.#giveBack(),
      onRoom: () => this.#send({ kind: 'room' }),
    });
    port.on('message', (message: ToWriter) => this.#take(message));
  }

  #send(message: FromWriter, transfer: ArrayBuffer[] = []): void {
    this.#port.postMessage(message, transfer);
  }

  #take(message: ToWriter): void {
    if (this.#hasFailed) return; // what was on its way already
    try {
      if (this.#file === undefined) {
        this.#file = new SqliteFile(this.#path, this.#nativeBinding);
        removeCopies(this.#path);
      }
      this.#handle(this.#file, message);
    } catch (failure) {
      this.#fail(failure);
    }
  }

  #handle(file: SqliteFile, message: ToWriter): void {
    switch (message.kind) {
      case 'load':
        return this.#load(file);
      case 'commit':
        return this.#commit(file, message);
      case 'read': {
        const records = file.read(message.ids);
        return this.#send({ kind: 'records', ticket: message.ticket, records }, [records.buffer]);
      }
      case 'size':
        return this.#send({ kind: 'size', ticket: message.ticket, size: file.size() });
      case 'job':
        this.#jobs ??= new DiskJobs(file, {
          path: this.#path,
          send: (answer) => this.#send(answer),
          onFailed: (failure) => this.#fail(failure),
        });
        return this.#jobs.add(message.ticket, message.job);
      case 'close':
        return this.#close(file);
    }
  }

  /** One chunk for each question: all at once would hold the whole file in memory. */
  #load(file: SqliteFile): void {
    if (this.#isLoaded) return;
    this.#unread ??= file.versions();
    const { value: chunk, done } = this.#unread.next();
    this.#isLoaded = done === true;
    if (done !== true) return this.#send({ kind: 'versions', chunk }, [chunk.buffer]);
    const state = file.state();
    file.settleLog();
    this.#send({ kind: 'loaded', state });
    this.#reserve.start(); // not before: while a query runs SQLite does nothing else
  }

  /** The batch, and the one that came meanwhile: one sync for both. */
  #commit(file: SqliteFile, first: CommitMessage): void {
    const batches = [first.batch];
    let next = receiveMessageOnPort(this.#port)?.message as ToWriter | undefined;
    for (; next?.kind === 'commit'; next = receiveMessageOnPort(this.#port)?.message as ToWriter | undefined) {
      batches.push(next.batch);
    }
    if (first.epoch > this.#refusedEpoch) this.#write(file, batches, first.epoch);
    if (next !== undefined) this.#handle(file, next);
  }

  #write(file: SqliteFile, batches: readonly Uint8Array<ArrayBuffer>[], epoch: number): void {
    if (file.commit(batches) === 'full') {
      this.#refusedEpoch = epoch;
      this.#reserve.giveUp();
      this.#send({ kind: 'refused', epoch });
    } else {
      const memory = batches.map(({ buffer }) => buffer);
      this.#send({ kind: 'committed', batches }, memory);
      file.checkpoint(); // whoever waits for these has its answer
    }
  }

  #close(file: SqliteFile): void {
    this.#reserve.stop();
    file.close();
    this.#send({ kind: 'closed' });
    this.#port.close();
  }

  /** After a failed commit nothing more may be written: what the index holds is no longer what the disk holds. */
  #giveBack(): void {
    try {
      this.#file?.giveBack();
    } catch (failure) {
      this.#fail(failure);
    }
  }

  #fail(failure: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#send({ kind: 'failed', failure: forwardable(failureIn(this.#path, failure) ?? failure) });
    this.#port.close();
  }
}

settleAfterStart();
void new WriterThread(workerData as WriterWorkerData);
