/** Which servers the cluster has, by what each has written: kept under `/kagent/servers/<name>`, followed by all of them. */
import * as z from 'zod';
import { conditionTracker } from '../../shared/component/component.ts';
import type { Component } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import type { ServerAddress } from '../../shared/protocol/channel.ts';
import { untilStopped } from '../../shared/until-stopped.ts';
import type { KeyClient } from '../../datastore/datastore.ts';
import type { ServerDirectory } from './directory.ts';

export const serversPrefix = '/kagent/servers/';
const prefix = serversPrefix;
const Kept = z.object({ supervisorUrl: z.string(), apiserverUrl: z.string() });

export interface ServersOptions {
  readonly keys: KeyClient;
  readonly directory: ServerDirectory;
  /** This one. */
  readonly own: ServerAddress & { readonly name: string };
  readonly log: Log;
}

export interface Servers extends Component {
  /** It has left the cluster. */
  forget(name: string): Promise<void>;
}

export function createServers({ keys, directory, own, log }: ServersOptions): Servers {
  const condition = conditionTracker();
  const stopping = new AbortController();
  const known = new Map<string, ServerAddress>();
  let work = Promise.resolve();

  const set = (key: string, text: string | undefined): void => {
    const name = key.slice(prefix.length);
    if (text === undefined) known.delete(name);
    else known.set(name, { name, ...Kept.parse(JSON.parse(text)) });
  };
  const tell = (): void => {
    const others = [...known.values()].filter(({ name }) => name !== own.name);
    directory.setOthers(others.toSorted((a, b) => (a.supervisorUrl < b.supervisorUrl ? -1 : 1)));
  };
  const follow = async (signal: AbortSignal): Promise<void> => {
    const { revision, entries } = await keys.list(prefix);
    known.clear();
    for (const [key, text] of entries) set(key, text);
    tell();
    condition.set('True', 'Watching', '');
    for await (const { key, value } of keys.watch(prefix, revision + 1, signal)) {
      set(key, value);
      tell();
    }
  };

  return {
    name: 'servers',
    after: ['datastore'],
    async start() {
      const { name, supervisorUrl, apiserverUrl } = own;
      await keys.put(prefix + name, JSON.stringify({ supervisorUrl, apiserverUrl }));
      work = untilStopped(follow, stopping.signal, (error) => {
        condition.set('False', 'RequestFailed', messageOf(error));
        log.debug('servers are not followed', { error });
      });
    },
    async stop() {
      stopping.abort();
      await work;
      condition.set('False', 'Stopped', '');
    },
    health: () => condition.current(),
    async forget(name) {
      await keys.delete(prefix + name);
    },
  };
}
