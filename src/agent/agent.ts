/**
 * @module
 * A node: builds the agent's rooms and joins them, no logic of its own.
 *
 *   join ─▶ load-balancer ─▶ kubelet, kube-proxy, flanneld, network-policies ─▶ cni ─▶ node-ready
 *   containerd ─▶ images, kubelet
 *   join ─▶ resolv-conf ─▶ kubelet
 *   registries ─▶ images, kubelet
 *   join ─▶ channel
 *   node-ready ─▶ cluster-dns, offline-memory
 */
import { join as joinPath } from 'node:path';
import { checkArguments } from '../shared/arguments/arguments.ts';
import { certificateTimer } from '../shared/certificates/certificates.ts';
import { task } from '../shared/component/component.ts';
import type { Component } from '../shared/component/component.ts';
import { registriesFile, runPaths } from '../shared/paths.ts';
import { findResolvConf, hostRoot, nodeAddress } from '../host/checks/checks.ts';
import { NodeRemovedError } from './channel/channel.ts';
import type { NodeConfig } from './config.ts';
import { createLoadBalancer } from './load-balancer/load-balancer.ts';
import { addressWatch, Membership } from './membership/membership.ts';
import type { MembershipOptions } from './membership/membership.ts';
import { clusterDns, createPodProbes, serviceRoute } from './network/network.ts';
import { endDnsPods, kubeletRules, kubeProxyRules, nodeReady } from './node/node.ts';
import { heartbeatAtEvents, nodeChannel } from './node-channel.ts';
import { nodePrograms } from './node-programs.ts';
import { noOfflineBoot, offlineBoot } from './offline-boot.ts';
import { reachedDirectly } from './reached-directly.ts';
import { createRegistries } from './registries/registries.ts';
import { followResolvConf } from './resolv-conf.ts';
import { imagesComponent } from './runtime/runtime.ts';
import type { AgentOptions } from './types.ts';

export type { AgentOptions } from './types.ts';

/** @throws {ComponentArgumentError} */
export function createAgent(options: AgentOptions): readonly Component[] {
  const { config, log, after } = options;
  checkNodeArguments(config, options.facts);
  const membership = new Membership({ ...options, externalIps: config.nodeExternalIp });
  const offline = offlineBootOf(options, membership);
  const balancer = balancerOf(options, membership, offline.fallback);
  const direct = () => reachedDirectly({ membership, settings: options.settings, externalIps: config.nodeExternalIp });
  const settings = () => membership.settings;
  const start = new Start();
  const podProbes = createPodProbes({ after: ['flanneld'], settings, log });
  const channel = channelOf({ ...options, podProbes }, { membership, offline, start });
  return [
    task('join', after.server, async (signal, saysWait) => {
      await membership.join(await offline.prepare(), saysWait, signal);
      log.info('cluster settings', { ...membership.settings });
      options.onJoined?.(membership.settings);
    }),
    ...balancer,
    registriesOf(options, direct),
    imagesOf(options, start),
    resolvConfOf(options, membership),
    ...nodePrograms({
      ...options,
      membership,
      direct,
      after: { ...after, balancer: balancer.map((component) => component.name) },
    }),
    podProbes,
    serviceRoute({ after: ['join', ...after.assets], serviceCidr: () => membership.settings.serviceCidr, log }),
    channel,
    task('node-ready', nodeParts, async (signal, saysWait) => {
      // Without a network the node is Ready when somebody has brought one, which needs a cluster that runs.
      if (membership.settings.flannelBackend !== 'none') await nodeReady(membership.ownNode, saysWait, signal);
      start.end();
    }),
    certificateTimer({
      name: 'node-certificates',
      after: ['join'],
      log,
      renew: async () => ((await membership.renew()) ? ['kubelet', 'kube-proxy', 'flannel'] : []),
    }),
    addressWatchOf(options, membership),
    clusterDns({ after: ['node-ready'], settings, events: options.events, log }),
    heartbeatAtEvents(options.events, channel),
    ...offline.components,
  ];
}

/** With which a node is Ready. */
const nodeParts = ['kubelet', 'cni', 'images', 'kube-proxy', 'flanneld', 'network-policies'] as const;

class Start {
  readonly #over = Promise.withResolvers<void>();
  isOver = false;

  get whenOver(): Promise<void> {
    return this.#over.promise;
  }

  end(): void {
    this.isOver = true;
    this.#over.resolve();
  }
}

function channelOf(
  options: AgentOptions & { readonly podProbes: ReturnType<typeof createPodProbes> },
  node: {
    readonly membership: Membership;
    readonly offline: Pick<ReturnType<typeof offlineBoot>, 'forget'>;
    readonly start: Start;
  },
) {
  const { membership, offline, start } = node;
  const { after, restart, log } = options;
  return nodeChannel({
    ...options,
    after: ['join', ...after.server],
    membership,
    onLeave() {
      try {
        membership.forget();
        offline.forget();
      } catch (error) {
        log.warn('the identity of this node was not removed completely', { error });
      }
      options.onFatal(new NodeRemovedError(membership.facts.nodeName));
    },
    async onJoinedAnew() {
      if (!start.isOver) return; // what starts now registers by itself
      await restart('kubelet'); // it registers as it starts
      await Promise.all([restart('flanneld'), restart('cni')]);
    },
  });
}

function addressWatchOf({ wantedAddress, restart, log }: AgentOptions, membership: Membership): Component {
  return addressWatch({
    after: ['node-ready'],
    present: membership.facts,
    look: () => nodeAddress({ ...wantedAddress, kept: membership.facts.nodeIp }, hostRoot()),
    async onChange(address) {
      await membership.move(address);
      await Promise.all([restart('kubelet'), restart('flanneld'), restart('channel')]);
    },
    log,
  });
}

function registriesOf({ config, paths, events, log }: AgentOptions, direct: () => readonly string[]): Component {
  return createRegistries({
    path: config.privateRegistry,
    required: config.privateRegistry !== registriesFile,
    hostsDir: paths.agent.registryHosts,
    disableDefaultEndpoint: config.disableDefaultRegistryEndpoint,
    direct,
    log,
    events,
  });
}

function imagesOf({ config, paths, currentDir, after, events, log }: AgentOptions, { whenOver }: Start): Component {
  return imagesComponent('images', ['containerd', 'registries', ...after.assets], {
    socketPath: runPaths.containerdSocket,
    binDir: joinPath(currentDir, 'bin'),
    bundledDir: joinPath(currentDir, 'images'),
    later: { dir: joinPath(currentDir, 'images', 'later'), when: whenOver },
    userDir: paths.agent.images,
    recordPath: joinPath(paths.agent.dir, 'images.json'),
    snapshotter: config.snapshotter,
    log,
    events,
  });
}

function resolvConfOf({ config, events, log }: AgentOptions, membership: Membership): Component {
  const hasIPv6 = () => membership.settings.flannelBackend === 'none'; // then the network is somebody else's
  return followResolvConf({
    after: ['join'],
    path: membership.facts.resolvConfPath,
    look: config.resolvConf === undefined ? () => findResolvConf(hostRoot(), { hasIPv6: hasIPv6() }) : undefined,
    endDnsPods: async (startedBeforeMs, signal) =>
      membership.settings.disableCoredns === true || (await endDnsPods(membership.ownNode, startedBeforeMs, signal)),
    events,
    log,
  });
}

function checkNodeArguments(
  { kubeletArg, kubeProxyArg }: NodeConfig,
  { nodeName, nodeIp }: MembershipOptions['facts'],
) {
  const ours = { 'hostname-override': nodeName, 'node-ip': nodeIp };
  checkArguments({ setting: 'kubelet-arg', args: kubeletArg, rules: kubeletRules, ours });
  checkArguments({ setting: 'kube-proxy-arg', args: kubeProxyArg, rules: kubeProxyRules, ours });
}

function offlineBootOf({ config, paths, remembers, kubernetesVersion, log }: AgentOptions, membership: Membership) {
  const { balancedUrl } = membership;
  if (balancedUrl === undefined || remembers !== true) return noOfflineBoot(paths, log);
  return offlineBoot({
    after: ['node-ready'],
    paths,
    nodeName: membership.facts.nodeName,
    kubernetesVersion,
    apiserverUrl: balancedUrl,
    identity: () => membership.identity,
    needsServiceAccounts: config.imageCredentialProviderConfig !== undefined,
    log,
  });
}

/** A server's own node, which has its kube-apiserver beside it, needs none. */
function balancerOf(
  { balancerPort, log }: AgentOptions,
  membership: Membership,
  fallback: ReturnType<typeof offlineBoot>['fallback'],
): readonly Component[] {
  if (balancerPort === undefined) return [];
  return [
    createLoadBalancer({
      after: ['join'],
      port: balancerPort,
      apiserverUrls: () => membership.identity.apiserverUrls,
      caPath: () => membership.identity.files.serverCa,
      ...fallback,
      log,
    }),
  ];
}
