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
import type { FromWriter, ToWriter } from './writer.ts';

type CommitMessage = Extract<ToWriter, { readonly kind: 'commit' }>;

export interface WriterWorkerData {
  readonly path: string;
  readonly nativeBinding: string | undefined;
  readonly port: MessagePort;
}

function main({ path, nativeBinding, port }: WriterWorkerData): void {
  const send = (message: FromWriter, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
  let file: SqliteFile | undefined;
  let jobs: DiskJobs | undefined;
  let isLoaded = false;
  let hasFailed = false;
  /** Batches up to this epoch go with one that found no room: they were decided on top of it. */
  let refusedEpoch = -1;
  const reserve = new Reserve(`${path}.reserve`, {
    holeBytes: () => file?.holeBytes() ?? 0,
    onRoom: () => send({ kind: 'room' }),
  });
  let unread: Generator<Uint8Array<ArrayBuffer>> | undefined;

  /** One chunk for each question: all at once would hold the whole file in memory. */
  const load = (opened: SqliteFile): void => {
    if (isLoaded) return;
    unread ??= opened.versions();
    const { value: chunk, done } = unread.next();
    isLoaded = done === true;
    if (done !== true) {
      send({ kind: 'versions', chunk }, [chunk.buffer]);
      return;
    }
    const state = opened.state();
    opened.settleLog();
    send({ kind: 'loaded', state });
    reserve.start(); // not before: while a query runs SQLite does nothing else
  };

  /** The batch, and the one that came meanwhile: one sync for both. */
  const commit = (opened: SqliteFile, first: CommitMessage): void => {
    const batches = [first.batch];
    let next = receiveMessageOnPort(port)?.message as ToWriter | undefined;
    for (; next?.kind === 'commit'; next = receiveMessageOnPort(port)?.message as ToWriter | undefined) {
      batches.push(next.batch);
    }
    if (first.epoch > refusedEpoch) write(opened, batches, first.epoch);
    if (next !== undefined) handle(opened, next);
  };

  const write = (opened: SqliteFile, batches: readonly Uint8Array<ArrayBuffer>[], epoch: number): void => {
    if (opened.commit(batches) === 'full') {
      refusedEpoch = epoch;
      reserve.giveUp();
      send({ kind: 'refused', epoch });
    } else {
      const memory = batches.map(({ buffer }) => buffer);
      send({ kind: 'committed', batches }, memory);
      opened.checkpoint(); // whoever waits for these has its answer
    }
  };

  const handle = (opened: SqliteFile, message: ToWriter): void => {
    switch (message.kind) {
      case 'load':
        load(opened);
        break;
      case 'commit':
        commit(opened, message);
        break;
      case 'read': {
        const records = opened.read(message.ids);
        send({ kind: 'records', ticket: message.ticket, records }, [records.buffer]);
        break;
      }
      case 'size':
        send({ kind: 'size', ticket: message.ticket, size: opened.size() });
        break;
      case 'job':
        jobs ??= new DiskJobs(opened, { path, send, onFailed: fail });
        jobs.add(message.ticket, message.job);
        break;
      case 'close':
        reserve.stop();
        opened.close();
        send({ kind: 'closed' });
        port.close();
        break;
    }
  };

  /** After a failed commit nothing more may be written: what the index holds is no longer what the disk holds. */
  const fail = (failure: unknown): void => {
    if (hasFailed) return;
    hasFailed = true;
    send({ kind: 'failed', failure: forwardable(failureIn(path, failure) ?? failure) });
    port.close();
  };

  port.on('message', (message: ToWriter) => {
    if (hasFailed) return; // what was on its way already
    try {
      if (file === undefined) {
        file = new SqliteFile(path, nativeBinding);
        removeCopies(path);
      }
      handle(file, message);
    } catch (failure) {
      fail(failure);
    }
  });
}

main(workerData as WriterWorkerData);
