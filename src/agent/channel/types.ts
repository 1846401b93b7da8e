import type { Clock } from '../../shared/clock.ts';
import type { Component, ComponentName } from '../../shared/component/component.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Heartbeat, Command, Hello, ServerAddress } from '../../shared/protocol/channel.ts';

export interface ChannelTls {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly rejectUnauthorized: true;
}

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
