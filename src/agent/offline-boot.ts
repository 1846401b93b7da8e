/** Joins the room `offline/` to a node that has a load balancer and whose operator lets it remember. */
import { rmSync } from 'node:fs';
import { caHashOf } from '../shared/certificates/certificates.ts';
import type { Component, ComponentName } from '../shared/component/component.ts';
import type { Log } from '../shared/log/log.ts';
import type { Paths } from '../shared/paths.ts';
import type { JoinOptions, NodeIdentity } from './membership/membership.ts';
import type { LoadBalancerOptions } from './load-balancer/load-balancer.ts';
import { createOffline } from './offline/offline.ts';
import { readText } from '../shared/files/files.ts';

export interface OfflineBoot {
  /** Before the node joins. @returns whom its programs trust beside the server */
  prepare(): Promise<Pick<JoinOptions, 'alsoTrustedPem'>>;
  /** For the load balancer. */
  readonly fallback: Pick<LoadBalancerOptions, 'fallback'>;
  /** Keep the memory; none if the node remembers nothing. */
  readonly components: readonly Component[];
  forget(): void;
}

export interface OfflineBootOptions {
  readonly after: readonly ComponentName[];
  readonly paths: Paths;
  readonly nodeName: string;
  readonly kubernetesVersion: string;
  readonly apiserverUrl: string;
  readonly identity: () => NodeIdentity;
  /** Whether programs that know passwords of registries are told of service accounts. */
  readonly needsServiceAccounts: boolean;
  readonly log: Log;
}

export function offlineBoot(options: OfflineBootOptions): OfflineBoot {
  const { after, nodeName, kubernetesVersion, apiserverUrl, identity, needsServiceAccounts, log } = options;
  const serverCaPath = () => identity().files.serverCa;
  const offline = createOffline({
    dir: options.paths.agent.offline,
    nodeName,
    kubernetesVersion,
    caHash: () => caHashOf(readText(serverCaPath())),
    clientCaPath: () => identity().files.clientCa,
    credentials: () => identity().files.pairs,
    log,
  });
  return {
    async prepare() {
      const alsoTrustedPem = await offline.prepare();
      return alsoTrustedPem === undefined ? {} : { alsoTrustedPem };
    },
    fallback: { fallback: offline },
    components: [offline.memoryComponent({ after, apiserverUrl, serverCaPath, needsServiceAccounts })],
    forget: () => offline.forget(),
  };
}

/** What an earlier start may have remembered goes: Secrets are in it. */
export function noOfflineBoot(paths: Paths, log: Log): OfflineBoot {
  const forget = () => {
    try {
      rmSync(paths.agent.offline, { recursive: true, force: true });
    } catch (error) {
      log.warn('what this node remembered is not removed; Secrets are in it', { path: paths.agent.offline, error });
    }
  };
  const prepare = async () => {
    forget();
    return {};
  };
  return { prepare, fallback: {}, components: [], forget };
}
