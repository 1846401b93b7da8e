/**
 * @module
 * A box that boots while the server is away: its programs get what they need to start from what the node remembers.
 * Knows: what kubelet, kube-proxy and flanneld ask for, kube-apiserver's answers, the files under `agent/offline`.
 * Leaves to others: when the server is away (load-balancer/), rights at the server (Node authorizer, NodeRestriction).
 *
 *   server reached:  remember ──the node's own certificates──▶ kube-apiserver ──▶ agent/offline/*.json
 *   server away:     kubelet ──▶ load balancer ──fallback──▶ apiServer ──▶ answers ──▶ copy of the memory
 *
 * Only from the start of kagent until a server is reached for the first time: after that the programs know better than
 * the memory, and wait as they do without it.
 */
import type { Socket } from 'node:net';
import { systemClock } from '../../shared/clock.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Component } from '../../shared/component/component.ts';
import { systemCode } from '../../shared/errors.ts';
import type { Log } from '../../shared/log/log.ts';
import { createOfflineApiServer } from './api-server.ts';
import type { OfflineApiServer } from './api-server.ts';
import { createAnswers } from './answers.ts';
import { localCertificate } from './certificate.ts';
import type { LocalCertificate } from './certificate.ts';
import { createCopy } from './copy.ts';
import { createMemory } from './memory.ts';
import { rememberComponent } from './remember.ts';
import type { RememberOptions } from './remember.ts';
import { resources } from './resources.ts';
import type { Program } from './resources.ts';

export interface OfflineOptions {
  /** `agent/offline` */
  readonly dir: string;
  readonly nodeName: string;
  readonly kubernetesVersion: string;
  /** Hash of the server's CA: whose cluster is remembered. */
  readonly caHash: () => string;
  /** By which the programs' certificates are verified. */
  readonly clientCaPath: () => string;
  readonly credentials: () => Readonly<Record<Program, { readonly certPath: string; readonly keyPath: string }>>;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface Offline {
  /**
   * Makes the local certificate if there is none.
   * @returns its PEM: whom the programs trust beside the server; undefined if it cannot be had, and then nobody is answered
   */
  prepare(): Promise<string | undefined>;
  /** Takes a connection that reaches no server. */
  answer(client: Socket): void;
  /** A server is reached: from now on it answers. */
  end(): void;
  /** Keeps the memory while a server is reached. */
  memoryComponent(
    options: Pick<RememberOptions, 'after' | 'apiserverUrl' | 'serverCaPath' | 'needsServiceAccounts'>,
  ): Component;
  /** The node is no longer of this cluster. */
  forget(): void;
}

export function createOffline(options: OfflineOptions): Offline {
  const { dir, nodeName, caHash, log, clock = systemClock } = options;
  const memory = createMemory({ dir, cluster: () => ({ caHash: caHash(), nodeName }) });
  let certificate: LocalCertificate | undefined;
  let apiServer: OfflineApiServer | undefined;

  /** A node that has never been told its pods waits for its server. */
  const remembersNode = (): boolean =>
    memory.load(resources.pods) !== undefined &&
    memory.load(resources.nodes)?.items.some(({ metadata }) => metadata.name === nodeName) === true;

  const begin = (): OfflineApiServer => {
    if (certificate === undefined) throw new TypeError('the offline room answers before it is prepared');
    log.warn('the server is away; this node starts from what it remembers', { node: nodeName });
    return createOfflineApiServer({
      certificate,
      clientCaPath: options.clientCaPath(),
      credentials: options.credentials(),
      answer: createAnswers({
        copy: createCopy(memory),
        nodeName,
        kubernetesVersion: options.kubernetesVersion,
        clock,
      }),
      log,
    });
  };

  return {
    async prepare() {
      try {
        certificate = await localCertificate(dir, clock.now());
      } catch (error) {
        if (systemCode(error) === undefined) throw error;
        log.warn('this node would not start without its server', { dir, error });
      }
      return certificate?.certPem;
    },
    answer(client) {
      if (apiServer === undefined && (certificate === undefined || !remembersNode())) return void client.destroy();
      apiServer ??= begin();
      apiServer.take(client);
    },
    end() {
      apiServer?.stop();
      apiServer = undefined;
    },
    memoryComponent: (more) => rememberComponent({ ...more, memory, nodeName, credentials: options.credentials, log }),
    forget: () => memory.forget(),
  };
}
