/**
 * @module
 * The datastore's thread: the index, the watches and the etcd server. The disk has a thread of its own.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { settleAfterStart } from '../../shared/settle.ts';
import { forwardable, openStore } from '../store/store.ts';
import type { Store } from '../store/store.ts';
import { openEtcdServer } from './etcd.ts';
import type { DatastoreWorkerData, EtcdServer, FromDatastore, ToDatastore } from './types.ts';

async function main(
  { server: serverOptions, store: storeOptions, writerPort }: DatastoreWorkerData,
  parent: MessagePort,
): Promise<void> {
  const send = (message: FromDatastore): void => parent.postMessage(message);
  /** The thread goes with its sockets: nobody may be answered by a store that cannot write. */
  const fail = (error: unknown): void => {
    send({ kind: 'failed', failure: forwardable(error) });
    setImmediate(() => process.exit(1));
  };
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  try {
    const store = await openStore({ writerPort, ...storeOptions, onFailed: fail });
    const server = await openEtcdServer({ store, ...serverOptions });
    settleAfterStart();
    parent.on('message', (message: ToDatastore) => {
      if (message.kind === 'stop') void stop(store, server).then(() => finish(parent, send), fail);
      else void store.stats().then((stats) => send({ kind: 'stats', ticket: message.ticket, stats }), fail);
    });
    send({ kind: 'ready' });
  } catch (error) {
    fail(error);
  }
}

async function stop(store: Store, server: EtcdServer): Promise<void> {
  server.refuseNew();
  await store.close(); // who was promised an answer gets it
  await new Promise(setImmediate);
  await server.close();
}

function finish(parent: MessagePort, send: (message: FromDatastore) => void): void {
  send({ kind: 'stopped' });
  parent.close();
}

if (parentPort !== null) void main(workerData as DatastoreWorkerData, parentPort);
