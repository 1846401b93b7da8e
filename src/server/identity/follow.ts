/** What other servers of the cluster decide about nodes, as they write it. */
import { conditionTracker } from '../../shared/component/component.ts';
import type { Component } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import { untilStopped } from '../../shared/until-stopped.ts';
import type { KeyClient } from '../../datastore/datastore.ts';

const prefixes = ['/kagent/nodes/', '/kagent/revoked/'];

export function followIdentities(options: {
  readonly keys: Pick<KeyClient, 'list' | 'watch'>;
  readonly identities: { heard(key: string, text: string | undefined): void };
  readonly log: Log;
}): Component {
  const { keys, identities, log } = options;
  const condition = conditionTracker();
  const stopping = new AbortController();
  let work: Promise<unknown> = Promise.resolve();

  const follow = async (prefix: string, signal: AbortSignal): Promise<void> => {
    const { revision, entries } = await keys.list(prefix);
    for (const [key, text] of entries) identities.heard(key, text);
    condition.set('True', 'Watching', '');
    for await (const { key, value } of keys.watch(prefix, revision + 1, signal)) identities.heard(key, value);
  };

  return {
    name: 'identities-watch',
    after: ['node-identities'],
    async start() {
      work = Promise.all(
        prefixes.map((prefix) =>
          untilStopped(
            (signal) => follow(prefix, signal),
            stopping.signal,
            (error) => {
              condition.set('False', 'RequestFailed', messageOf(error));
              log.debug('what other servers decide is not followed', { error });
            },
          ),
        ),
      );
    },
    async stop() {
      stopping.abort();
      await work;
      condition.set('False', 'Stopped', '');
    },
    health: () => condition.current(),
  };
}
