import { statSync, utimesSync } from 'node:fs';
import { conditionTracker } from '../shared/component/component.ts';
import type { Component, ComponentName, ConditionTracker } from '../shared/component/component.ts';
import type { EventLog } from '../shared/events/events.ts';
import { readFileIfExists, writeFileIfChanged } from '../shared/files/files.ts';
import type { Log } from '../shared/log/log.ts';
import { rounds } from '../shared/rounds.ts';
import { fallbackServer, serversOf, whyNone } from '../host/checks/checks.ts';
import type { ResolvConf } from '../host/checks/checks.ts';

const everyMs = 5000;

export interface FollowResolvConfOptions {
  readonly after: readonly ComponentName[];
  /** What the kubelet reads whenever a Pod starts. */
  readonly path: string;
  /** What pods should have now; undefined: the file is somebody's own (`--resolv-conf`), and is only looked at. */
  readonly look: (() => ResolvConf) | undefined;
  /** Ends the DNS Pods that started before; false where that is to be tried again. */
  readonly endDnsPods: (startedBeforeMs: number, signal: AbortSignal) => Promise<boolean>;
  readonly events: EventLog;
  readonly log: Log;
}

/**
 * Keeps the resolv.conf of pods as the host's is, which DHCP may fill after the boot, and change. It is written before the
 * kubelet starts, and again when the host's was another one twice in a row. The cluster's DNS Pods of this node, which read
 * it once, are then made anew: those that are older than the file, so that none is overlooked after a restart of kagent.
 */
export function followResolvConf(options: FollowResolvConfOptions): Component {
  const { after, path, look, endDnsPods, log } = options;
  const condition = conditionTracker();
  const stopping = new AbortController();
  let seen: string | undefined;
  let renewedForMs = 0;

  const renew = async (): Promise<void> => {
    const changedMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (changedMs === renewedForMs) return;
    if (await endDnsPods(changedMs, stopping.signal)) renewedForMs = changedMs;
  };
  const check = async (): Promise<void> => {
    try {
      const found = look?.();
      if (found !== undefined && found.text === seen) write(found, options);
      seen = found?.text;
      say(found, condition, log);
      await renew();
    } catch (error) {
      log.warn('the name servers of pods are not up to date', { path, error });
    }
  };

  const looks = rounds(everyMs, check);
  return {
    name: 'resolv-conf',
    after,
    async start() {
      const found = look?.();
      if (found !== undefined) write(found, options);
      seen = found?.text;
      say(found, condition, log);
      looks.start();
    },
    async stop() {
      stopping.abort();
      await looks.stop();
    },
    health: () => condition.current(),
  };
}

function write(found: ResolvConf, { path, events, log }: FollowResolvConfOptions): void {
  const isFirst = readFileIfExists(path) === undefined;
  if (!writeFileIfChanged(path, found.text, 0o644)) return;
  // The pods that an earlier kagent has left were given the host's own file.
  if (isFirst) utimesSync(path, 0, 0);
  const servers = serversOf(found.text).join(', ');
  log.info('the name servers of pods', { servers, source: found.source });
  if (isFirst) return;
  const message = `pods ask ${servers} from now on`;
  events.record({ type: 'Normal', reason: 'NameServersChanged', regarding: 'resolv-conf', message });
}

function say(found: ResolvConf | undefined, condition: ConditionTracker, log: Log): void {
  if (found === undefined || found.source !== undefined) return condition.set('True', 'Following', '');
  const isNew = condition.current().reason !== 'PublicNameServer';
  const message = `${whyNone(found)}; pods ask ${fallbackServer} until there is one, or name a file with others: --resolv-conf FILE`;
  condition.set('True', 'PublicNameServer', message);
  if (isNew) log.warn('no name server that pods can reach', { message });
}
