import type { Component, ComponentName } from '../shared/component/component.ts';
import type { EventLog } from '../shared/events/events.ts';
import type { Log } from '../shared/log/log.ts';
import type { Paths } from '../shared/paths.ts';
import type { ServerAddress } from '../shared/protocol/channel.ts';
import type { ClusterSettings } from '../shared/protocol/join.ts';
import type { Secret } from '../shared/secret.ts';
import type { LocalRequests } from '../host/daemon/daemon.ts';
import type { Supervisor } from '../host/process/process.ts';
import type { ServerOnlyConfig } from './config.ts';

export interface ServerOptions {
  readonly config: ServerOnlyConfig;
  /** `--profile cis` */
  readonly isHardened: boolean;
  /** The operator's tokens, from a flag, a variable or a file. */
  readonly token: Secret | undefined;
  readonly agentToken: Secret | undefined;
  readonly paths: Paths;
  readonly supervisor: Supervisor;
  readonly events: EventLog;
  readonly log: Log;
  /** The full name of an image in the bundle, by its short one. */
  readonly image: (name: string) => string;
  readonly nodeName: string;
  readonly nodeIp: string;
  /** Every one by which this host may be reached, as it is now. */
  readonly addresses: () => readonly string[];
  /** `v1.37.1` */
  readonly kubernetesVersion: string;
  /** Where the unpacked components are: the path stays, what it leads to changes with the version. */
  readonly currentDir: string;
  /** Names of components outside that come first. */
  readonly after: {
    /** Kubernetes' programs are there. */
    readonly kubernetes: readonly ComponentName[];
  };
  /** Ends a start that waits for another server. */
  readonly signal: AbortSignal;
  /** Told of what no restart heals: a datastore that cannot write. */
  readonly onFatal: (error: unknown) => void;
}

export interface Server {
  readonly components: readonly Component[];
  /** How other boxes join. */
  readonly joinUrl: string;
  readonly joinToken: Secret;
  /** Where this host's own programs reach it. */
  readonly local: ServerAddress;
  /** How this box's own node joins. */
  readonly ownNodeToken: Secret;
  readonly settings: ClusterSettings;
  /** What its operator should know, in sentences. */
  readonly notes: () => readonly string[];
  /** What `kagent token`, `kagent node` and `kagent kubeconfig` ask. */
  readonly localRequests: LocalRequests;
}
