/**
 * @module
 * A datastore that somebody else keeps: etcd at an address, or a database behind kine, which speaks as etcd does.
 * Knows: how its address is written, whether it answers. Leaves to others: the calls (client/), running kine (server/).
 */
import { conditionTracker } from '../../shared/component/component.ts';
import type { Component, ComponentName, ConditionTracker } from '../../shared/component/component.ts';
import { messageOf, withRemedy } from '../../shared/errors.ts';
import type { KagentError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import { pause } from '../../shared/pause.ts';
import { untilNextRound } from '../../shared/rounds.ts';
import { connectKeys } from '../client/client.ts';
import type { EtcdEndpoints, KeyClient } from '../client/client.ts';
import { DatastoreEmptyError } from './errors.ts';

export { parseEndpoint } from './endpoint.ts';
export type { DatastoreEndpoint, EtcdEndpoint, SqlEndpoint } from './endpoint.ts';
export { DatastoreElsewhereError, DatastoreEndpointError, DatastoreHereError } from './errors.ts';

export interface ExternalDatastoreOptions {
  readonly endpoints: EtcdEndpoints;
  /** For people: `PostgreSQL at db.example:5432/kagent`. */
  readonly name: string;
  readonly after: readonly ComponentName[];
  /** There was a cluster in it: an empty one is another one. */
  readonly isUsed: boolean;
  /** There is a cluster in it; told once. */
  readonly onUsed: () => void;
  readonly log: Log;
  readonly timing?: ExternalTiming;
}

export interface ExternalTiming {
  /** Between two questions while it answers. */
  readonly everyMs: number;
  /** And while it does not. */
  readonly retryMs: number;
  readonly withinMs: number;
}

const usualTiming: ExternalTiming = { everyMs: 5000, retryMs: 500, withinMs: 5000 };
/** Every cluster has it. The answer takes what a read of kube-apiserver takes: a quorum of an etcd. */
const clusterKey = '/kagent/cluster';

/** Ready with its first answer, for which it waits as long as it takes; not ready while none comes. */
export function externalDatastore(options: ExternalDatastoreOptions): Component & { readonly keys: KeyClient } {
  const { endpoints, name, after, isUsed, onUsed, log, timing = usualTiming } = options;
  const condition = conditionTracker();
  const keys = connectKeys(endpoints);
  const stopping = new AbortController();
  let watching = Promise.resolve();
  let hasCluster = false;

  const look = async (): Promise<boolean> => {
    try {
      const cluster = await within(keys.get(clusterKey), timing.withinMs);
      if (cluster !== undefined && !hasCluster) onUsed();
      hasCluster ||= cluster !== undefined;
      if (condition.current().status !== 'True') log.info('datastore answers', { datastore: name });
      condition.set('True', 'Serving', '');
      return true;
    } catch (error) {
      await keys.close(); // a connection whose other end is gone says nothing; the next address is tried
      if (stopping.signal.aborted) return false;
      const message = withRemedy(`the datastore, ${name}, does not answer: ${reasonOf(error)}`, remedy);
      if (condition.current().reason !== 'NotAnswering')
        log.warn('datastore does not answer', { datastore: name, error });
      condition.set('False', 'NotAnswering', message, remedy);
      return false;
    }
  };

  return {
    name: 'datastore',
    after,
    keys,
    async start(signal) {
      condition.set('False', 'Connecting', `asks ${name}`);
      while (!(await look())) {
        signal.throwIfAborted();
        await pause(timing.retryMs, signal);
        signal.throwIfAborted();
      }
      if (isUsed && !hasCluster) throw failed(condition, new DatastoreEmptyError(name));
      watching = (async () => {
        while (!stopping.signal.aborted) {
          const isWell = condition.current().status === 'True';
          await pause(isWell ? untilNextRound(timing.everyMs) : timing.retryMs, stopping.signal);
          if (!stopping.signal.aborted) await look();
        }
      })();
    },
    async stop() {
      stopping.abort();
      await keys.close();
      await watching;
      condition.set('False', 'Stopped', '');
    },
    health: () => condition.current(),
  };
}

const remedy = 'see whether it runs, and whether this box reaches it';

/** A connection that was lost says why below. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error ? messageOf(cause) : messageOf(error);
}

function failed(condition: ConditionTracker, error: KagentError): KagentError {
  condition.set('False', 'Failed', error.message, error.remedy);
  return error;
}

class SilenceError extends Error {
  constructor(ms: number) {
    super(`no answer within ${ms / 1000} s`);
  }
}

async function within<T>(answer: Promise<T>, ms: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new SilenceError(ms)), ms).unref();
  try {
    return await Promise.race([answer, promise]);
  } finally {
    clearTimeout(timer);
  }
}
