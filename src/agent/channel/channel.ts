/**
 * @module
 * The agent's connection to a server: heartbeats out, commands and streams in, again and again with back-off.
 * Knows: the websocket, deadlines, which server to try next, the clock's skew; what a heartbeat says (heartbeat.ts), carrying out
 * (commands.ts). Leaves to others: which node this is (join/), keeping children alive (host/process).
 *
 *   waiting ──▶ connecting ──hello, welcome──▶ connected ──silence, close──▶ waiting (back-off with jitter)
 */
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock, type Clock } from '../../shared/clock.ts';
import { conditionTracker, type Component, type ComponentName } from '../../shared/component/component.ts';
import { messageOf } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import {
  closeCodes,
  type Heartbeat,
  type Command,
  type Hello,
  type ServerAddress,
} from '../../shared/protocol/channel.ts';
import { Connection, type Ending } from './connection.ts';

export interface ChannelOptions {
  readonly after: readonly ComponentName[];
  /** `https://host:port` of every supervisor that is known, the one to try first in front. */
  readonly supervisorUrls: () => readonly string[];
  /** Read at each connection: the next one uses a renewed certificate. */
  readonly credentials: () => { readonly caPath: string; readonly certPath: string; readonly keyPath: string };
  readonly hello: () => Hello;
  /** What is so now; the channel adds what it knows itself. */
  readonly look: () => Promise<Omit<Heartbeat, 'type' | 'seq' | 'clockSkewMs' | 'roundTripMs'>>;
  /** @returns the answer for a person. @throws what is told them instead */
  readonly carryOut: (command: Command) => Promise<string>;
  /** Whether the server may have a stream to this address: the node's own, or a pod's. */
  readonly mayDial: (host: string) => boolean;
  readonly onServers: (servers: readonly ServerAddress[]) => void;
  /** The server does not know this node (any more). */
  readonly onNotJoined: () => Promise<void>;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface Channel extends Component {
  /** Something has changed: the next heartbeat goes now. */
  heartbeatNow(): void;
}

const firstWaitMs = 200;
const longestWaitMs = 15_000;
/** A connection that lived so long was a good one: the next failure waits little again. */
const goodAfterMs = 10_000;

/** Ready at once: a box does its work without its server too. */
export function createChannel(options: ChannelOptions): Channel {
  const { after, supervisorUrls, log, clock = systemClock } = options;
  const condition = conditionTracker();
  let stopping = new AbortController();
  let connection: Connection | undefined;
  let work = Promise.resolve();

  const connect = async (url: string, signal: AbortSignal): Promise<Ending> => {
    try {
      connection = new Connection(url, options, () => {
        condition.set('True', 'Connected', '');
        log.info('connected to the server', { url });
      });
      return await connection.ended(signal);
    } catch (error) {
      return { code: 0, reason: messageOf(error) }; // a certificate that cannot be read: it may be there again
    }
  };

  const serve = async (signal: AbortSignal): Promise<void> => {
    for (let waitMs = firstWaitMs, attempt = 0; !signal.aborted; attempt++) {
      const urls = supervisorUrls();
      const url = urls[attempt % urls.length] ?? '';
      const bornMs = clock.monotonicMs();
      const ending = await connect(url, signal);
      connection = undefined;
      if (signal.aborted) return;
      if (clock.monotonicMs() - bornMs >= goodAfterMs) waitMs = firstWaitMs;
      if (condition.current().status !== 'False')
        log.warn('no connection to the server', { url, reason: ending.reason });
      condition.set('False', 'NotConnected', `${url}: ${ending.reason}`);
      if (ending.code === closeCodes.notJoined) await options.onNotJoined();
      // Full jitter: nodes that lost one server together do not come back together.
      await delay(Math.random() * waitMs, undefined, { signal }).catch(() => {}); // only the stop ends it early
      waitMs = Math.min(waitMs * 2, longestWaitMs);
    }
  };

  return {
    name: 'channel',
    after,
    async start() {
      stopping = new AbortController();
      work = serve(stopping.signal);
    },
    async stop() {
      stopping.abort();
      await work;
      condition.set('False', 'Stopped', '');
    },
    health: () => condition.current(),
    heartbeatNow: () => connection?.heartbeatNow(),
  };
}

export { createLook, factsOf, type LookOptions } from './heartbeat.ts';
export { NodeRemovedError } from './errors.ts';
export { createCommands, type CommandsOptions } from './commands.ts';
