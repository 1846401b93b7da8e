import { join } from 'node:path';
import { Cron } from 'croner';
import { conditionTracker } from '../../shared/component/component.ts';
import type { Component } from '../../shared/component/component.ts';
import { messageOf, remedyOf } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import { connectDatastore } from '../client/client.ts';
import type { EtcdEndpoints } from '../client/client.ts';
import { SnapshotRecords } from './snapshot-records.ts';
import { saveEtcdSnapshot, saveSnapshot, snapshotName } from './snapshots.ts';

export interface SnapshotTimerOptions {
  /** The datastore's address; of an etcd with what it is shown. */
  readonly endpoint: string | EtcdEndpoints;
  readonly nodeName: string;
  readonly dir: string;
  /** Where the datastore's file is, and the record of its snapshots. */
  readonly storeDir: string;
  /** What the names of the files begin with. */
  readonly baseName: string;
  /** A cron schedule, in the box's time zone. */
  readonly schedule: string;
  /** How many stay. */
  readonly retention: number;
  /** After the start, when the box was off at the time of the last one. */
  readonly catchUpMs?: number;
  readonly log: Log;
}

/** Not at once: a box that starts has better things to do. */
const defaultCatchUpMs = 5 * 60_000;

/**
 * Saves the datastore on a schedule, as k3s does with its etcd, so that a damaged file has a good copy beside it. What it has
 * saved itself goes when it is old, whatever node and schedule were called then and wherever it was kept; nothing else does.
 */
export function snapshotTimer(options: SnapshotTimerOptions): Component {
  const { endpoint, nodeName, dir, baseName, schedule, retention, catchUpMs = defaultCatchUpMs, log } = options;
  const records = new SnapshotRecords(options.storeDir);
  const condition = conditionTracker();
  let cron: Cron | undefined;
  let catchUp: NodeJS.Timeout | undefined;

  const save = async (): Promise<void> => {
    const path = join(dir, snapshotName(baseName, nodeName, new Date()));
    const client = connectDatastore(endpoint);
    try {
      records.add({ path, isScheduled: true });
      const saved = typeof endpoint === 'string' ? saveSnapshot : saveEtcdSnapshot;
      const { sizeBytes } = await saved(client.snapshot(), path);
      const removed = await records.prune(({ isScheduled }) => isScheduled, retention);
      condition.set('True', 'Saved', '');
      log.info('datastore snapshot saved', { path, sizeBytes, removed: removed.map(({ name }) => name) });
    } catch (error) {
      condition.set('False', 'SnapshotFailed', messageOf(error), remedyOf(error));
      log.error('datastore snapshot failed', { path, error });
    } finally {
      await client.close();
    }
  };

  /** No snapshot since the schedule last wanted one: boxes that are switched off at night would never have any. */
  const isMissed = async (running: Cron): Promise<boolean> => {
    const last = (await records.list(({ isScheduled }) => isScheduled)).at(-1);
    const due = last === undefined ? undefined : running.nextRun(new Date(last.createdAt));
    return last === undefined || (due !== undefined && due !== null && due.getTime() < Date.now());
  };

  return {
    name: 'datastore-snapshots',
    after: ['datastore'],
    async start() {
      // What cannot be written down now stays for a person to remove.
      await records.adopt({ dir, baseName, nodeName }).catch((error: unknown) => {
        log.warn('snapshots of an earlier kagent not taken over', { dir, error });
      });
      cron = new Cron(schedule, { protect: true, unref: true }, save);
      if (await isMissed(cron)) catchUp = setTimeout(() => void cron?.trigger(), catchUpMs).unref();
      condition.set('True', 'Scheduled', '');
    },
    async stop() {
      cron?.stop();
      clearTimeout(catchUp);
    },
    health: () => condition.current(),
  };
}
