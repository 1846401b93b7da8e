/**
 * @module
 * The agent's connections to the servers, one to each: heartbeats out, commands and streams in, again and again with back-off.
 * Knows: the websocket, deadlines, which server to try next, the clock's skew; what a heartbeat says (heartbeat.ts), carrying out
 * (commands.ts). Leaves to others: which node this is (join/), keeping children alive (host/process).
 *
 *   waiting ──▶ connecting ──hello, welcome──▶ connected ──silence, close──▶ waiting (back-off with jitter)
 */
import { conditionTracker } from '../../shared/component/component.ts';
import { Servers } from './servers.ts';
import type { ChannelOptions, Channel } from './types.ts';

/** Ready at once: a box does its work without its server too. */
export function createChannel(options: ChannelOptions): Channel {
  const condition = conditionTracker();
  let servers: Servers | undefined;
  let work = Promise.resolve();
  let stopping = new AbortController();
  return {
    name: 'channel',
    after: options.after,
    async start() {
      stopping = new AbortController();
      servers = new Servers(options, condition);
      work = servers.serve(stopping.signal);
    },
    async stop() {
      stopping.abort();
      await work;
      condition.set('False', 'Stopped', '');
    },
    health: () => condition.current(),
    heartbeatNow: () => servers?.heartbeatNow(),
  };
}

export type { ChannelOptions, Channel } from './types.ts';
export { createLook, factsOf, type LookOptions } from './heartbeat.ts';
export { NodeRemovedError } from './errors.ts';
export { createCommands, type CommandsOptions } from './commands.ts';
