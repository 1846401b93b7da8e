/**
 * @module
 * The datastore: etcd's API on SQLite, of a server, or alone (`kagent datastore serve`); or one that somebody else keeps.
 * Knows: its threads, its life as a component. Leaves to others: versions and the disk (store/), etcd's messages (etcd/),
 * HTTP/2 (http2/), snapshots (backup/), what keys mean (callers).
 */
import type { Component, SaysWait } from '../shared/component/component.ts';
import { conditionTracker } from '../shared/component/component.ts';
import { messageOf, remedyOf } from '../shared/errors.ts';
import type { Log } from '../shared/log/log.ts';
import { connectKeys } from './client/client.ts';
import type { KeyClient } from './client/client.ts';
import { watchStore } from './liveness.ts';
import { startDatastore } from './threads.ts';
import type { Datastore } from './threads.ts';

export { snapshotDirOf, snapshotTimer } from './backup/backup.ts';
export { connectKeys, connectMembers, exportAll } from './client/client.ts';
export type { Digest, EtcdEndpoints, EtcdMember, EtcdStatus, KeyClient, MembersClient } from './client/client.ts';
export { DatastoreElsewhereError, DatastoreHereError, externalDatastore, parseEndpoint } from './external/external.ts';
export type { DatastoreEndpoint } from './external/external.ts';

/** What a component says that waits for its first answer. */
export const asksDatastore: Parameters<SaysWait> = [
  'AskingDatastore',
  'the datastore has not answered yet; see whether its disk is slow or full',
];

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
    condition.set('False', 'Failed', error.message, remedyOf(error));
    log.error('datastore failed', { error });
    options.onFatal(error);
  };
  return {
    name: 'datastore',
    after: [],
    keys,
    async start() {
      condition.set('False', 'Opening', `opens store.db in ${options.dir}; a large one takes longer on a slow disk`);
      try {
        datastore = await startDatastore({ ...options, listen: [address], onFatal });
        condition.set('True', 'Serving', '');
        const started = datastore;
        void watchStore({ ask: () => started.stats(), condition, dir: options.dir, log }, stopping.signal);
        const { revision, keys: keyCount, fileSizeBytes } = await datastore.stats();
        log.info('datastore ready', { revision, keys: keyCount, fileSizeBytes });
      } catch (error) {
        condition.set('False', 'Failed', messageOf(error), remedyOf(error));
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
