import type { Component, ComponentName } from '../../shared/component/component.ts';
import type { Log } from '../../shared/log/log.ts';
import type { HostPort, HostPortOwner, VolumeFolder } from '../../shared/protocol/channel.ts';
import type { KubeClient, KubeObject } from '../../kube/kube.ts';
import type { HelmProgram } from '../cluster/cluster.ts';

/** A file that kagent writes into the folder of manifests. */
export interface PackagedManifest {
  /** Without `.yaml`. */
  readonly name: string;
  readonly text: string;
}

/** What an add-on's manifest is made of. */
export interface AddonSettings {
  readonly clusterDns: string;
  readonly clusterDomain: string;
  /** Where kube-apiserver is reached, by the address that the cluster knows. */
  readonly advertiseAddress: string;
  /** PEM of the CA of the server's own certificates. */
  readonly serverCaPem: string;
  /** The full name of an image in the bundle, by its short one. */
  readonly image: (name: string) => string;
}

/** A Node of the API, as far as an add-on looks at it. */
export interface ClusterNode extends KubeObject {
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export interface ClusterNodes {
  objects(): readonly ClusterNode[];
  /** One of them has changed, came or went. */
  onObjectChange(listener: () => void): void;
  /**
   * Who has these ports on that node. Undefined for a node that cannot be asked: an agent of an earlier version.
   * @throws {NodeNotConnectedError} @throws {NodeCommandError}
   */
  portsInUse(nodeName: string, ports: readonly HostPort[]): Promise<readonly HostPortOwner[] | undefined>;
  /** Makes the folder of a volume on that node; one that is there is no error. @throws {NodeNotConnectedError} @throws {NodeCommandError} */
  makeVolume(nodeName: string, volume: VolumeFolder): Promise<void>;
  /** Removes it; one that is gone is no error. @throws {NodeNotConnectedError} @throws {NodeCommandError} */
  removeVolume(nodeName: string, volume: VolumeFolder): Promise<void>;
}

/** What an add-on works with that runs in the server itself. */
export interface AddonContext {
  readonly kube: KubeClient;
  readonly nodes: ClusterNodes;
  /** The server's own, where it is the source of events. */
  readonly nodeName: string;
  /** The full name of an image in the bundle, by its short one. */
  readonly image: (name: string) => string;
  /** Where the bundle's definitions of kinds are, a file for each add-on. */
  readonly definitionsDir: string;
  /** What nobody waits for begins after these: a start has its processors to itself. */
  readonly afterStart: readonly ComponentName[];
  /** Of nodes for which nothing else is said: where volumes are. */
  readonly localStoragePath: string;
  readonly helm: HelmProgram;
  /** `server/static`: what this server serves to everybody. */
  readonly staticDir: string;
  /** Where that is, on this host, and whom to believe there. */
  readonly supervisor: { readonly url: string; readonly caPem: string };
  readonly log: Log;
}

/** What kagent brings into a cluster and users may leave out. */
export interface Addon {
  /** Of its folder, its manifest's file and its component, and what `--disable` takes. */
  readonly name: string;
  /** For the help and the docs: a phrase. */
  readonly summary: string;
  /** Short names of the images that the bundle has for it. */
  readonly images: readonly string[];
  /** What is applied to the cluster. */
  readonly manifest?: (settings: AddonSettings) => string;
  /** What runs in the server for it. */
  readonly component?: (context: AddonContext) => Component;
  /** The same where it is disabled: takes away what it has left in the cluster. */
  readonly removal?: (context: AddonContext) => Component;
}
