import type { NotReady, ComponentName } from '../shared/component/component.ts';
import type { EventLog } from '../shared/events/events.ts';
import type { LogLevel } from '../shared/log/log.ts';
import type { ClusterSettings } from '../shared/protocol/join.ts';
import type { WantedAddress } from '../host/checks/checks.ts';
import type { Supervisor } from '../host/process/process.ts';
import type { NodeConfig } from './config.ts';
import type { MembershipOptions } from './membership/membership.ts';

export interface AgentOptions extends Omit<MembershipOptions, 'externalIps'> {
  readonly config: NodeConfig;
  /** What decides about this node's address. */
  readonly wantedAddress: WantedAddress;
  readonly supervisor: Supervisor;
  /** Ends one of this node's components and starts it again. */
  readonly restart: (name: ComponentName) => Promise<void>;
  /** Of all components on this box. */
  readonly notReady: () => readonly NotReady[];
  readonly events: EventLog;
  readonly setLogLevel: (level: LogLevel) => void;
  /** Whether this node keeps what it needs to start while the server is away; through the load balancer alone. */
  readonly remembers?: boolean;
  /** Where the unpacked components are: the path stays, what it leads to changes with the version. */
  readonly currentDir: string;
  readonly image: (name: string) => string;
  /** Names of components outside that come first. */
  readonly after: {
    /** containerd's programs are there. */
    readonly containerd: readonly ComponentName[];
    /** Everything in the bundle is. */
    readonly assets: readonly ComponentName[];
    readonly server: readonly ComponentName[];
    readonly apiserver: readonly ComponentName[];
  };
  /** Told what the cluster is like, when this node knows it. */
  readonly onJoined?: (settings: ClusterSettings) => void;
  /** Told of what ends this node. */
  readonly onFatal: (error: unknown) => void;
}
