/**
 * @module
 * A node: builds the agent's rooms and joins them, no logic of its own.
 *
 *   join ─▶ load-balancer ─▶ kubelet, kube-proxy, flanneld ─▶ cni ─▶ node-ready
 *   containerd ─▶ images, kubelet
 *   join ─▶ resolv-conf ─▶ kubelet
 *   registries ─▶ images, kubelet
 *   join ─▶ channel
 *   node-ready ─▶ cluster-dns, offline-memory
 */
import { join as joinPath } from 'node:path';
import { checkArguments } from '../shared/arguments/arguments.ts';
import { certificateTimer } from '../shared/certificates/certificates.ts';
import { deferred, task, type Component, type NotReady } from '../shared/component/component.ts';
import type { EventLog } from '../shared/events/events.ts';
import type { LogLevel } from '../shared/log/log.ts';
import { registriesFile, runPaths } from '../shared/paths.ts';
import type { Supervisor } from '../host/process/process.ts';
import type { ClusterSettings } from '../shared/protocol/join.ts';
import { usesProxy } from '../shared/proxy/proxy.ts';
import { addressWatch, Membership, type MembershipOptions } from './membership/membership.ts';
import { NodeRemovedError } from './channel/channel.ts';
import type { NodeConfig } from './config.ts';
import { findResolvConf, hostRoot, nodeAddress, type WantedAddress } from '../host/checks/checks.ts';
import { createLoadBalancer } from './load-balancer/load-balancer.ts';
import {
  clusterDns,
  cniBinDirs,
  cniComponent,
  cniConfDir,
  createPodProbes,
  flannelComponent,
  serviceRoute,
} from './network/network.ts';
import { heartbeatAtEvents, nodeChannel } from './node-channel.ts';
import {
  endDnsPods,
  kubeletComponent,
  kubeletRules,
  kubeProxyComponent,
  kubeProxyRules,
  nodeReady,
  podCidr,
} from './node/node.ts';
import { noOfflineBoot, offlineBoot } from './offline-boot.ts';
import { reachedDirectly } from './reached-directly.ts';
import { createRegistries } from './registries/registries.ts';
import { followResolvConf } from './resolv-conf.ts';
import { containerdComponent, containerdsOwn, imagesComponent } from './runtime/runtime.ts';

export interface AgentOptions extends Omit<MembershipOptions, 'externalIps'> {
  readonly config: NodeConfig;
  /** What decides about this node's address. */
  readonly wantedAddress: WantedAddress;
  readonly supervisor: Supervisor;
  /** Of all components on this box. */
  readonly notReady: () => readonly NotReady[];
  readonly events: EventLog;
  readonly setLogLevel: (level: LogLevel) => void;
  /** Whether this node keeps what it needs to start while the server is away; by way of the load balancer alone. */
  readonly remembers?: boolean;
  /** Where the unpacked components are: the path stays, what it leads to changes with the version. */
  readonly currentDir: string;
  readonly image: (name: string) => string;
  /** Names of components outside that come first. */
  readonly after: {
    readonly assets: readonly string[];
    readonly server: readonly string[];
    readonly apiserver: readonly string[];
  };
  /** Told what the cluster is like, when this node knows it. */
  readonly onJoined?: (settings: ClusterSettings) => void;
  /** Told of what ends this node. */
  readonly onFatal: (error: unknown) => void;
}

/** @throws {ComponentArgumentError} */
export function createAgent(options: AgentOptions): readonly Component[] {
  const { config, paths, log, after } = options;
  checkNodeArguments(config, options.facts);
  const membership = new Membership({ ...options, externalIps: config.nodeExternalIp });
  const offline = offlineBootOf(options, membership);
  const balancer = balancerOf(options, membership, offline.fallback);
  const direct = () => reachedDirectly({ membership, settings: options.settings, externalIps: config.nodeExternalIp });
  const node = nodePrograms({ ...options, direct }, membership, {
    ...after,
    balancer: balancer.map((component) => component.name),
  });
  const { kubelet, flanneld, cni } = node;
  let isStarted = false;

  const podProbes = createPodProbes({ after: ['flanneld'], settings: () => membership.settings, log });
  const channel = nodeChannel({
    ...options,
    podProbes,
    after: ['join', ...after.server],
    membership,
    onLeave() {
      try {
        membership.forget();
        offline.forget();
      } catch (error) {
        log.warn('not all that this node was is forgotten', { error });
      }
      options.onFatal(new NodeRemovedError(membership.facts.nodeName));
    },
    async onJoinedAnew() {
      if (!isStarted) return; // what starts now registers by itself
      await restart(kubelet); // it registers as it starts
      await Promise.all([restart(flanneld), restart(cni)]);
    },
  });

  return [
    task('join', after.server, async (signal, saysWait) => {
      await membership.join(await offline.prepare(), saysWait, signal);
      log.info('cluster settings', { ...membership.settings });
      options.onJoined?.(membership.settings);
    }),
    ...balancer,
    createRegistries({
      path: config.privateRegistry,
      required: config.privateRegistry !== registriesFile,
      hostsDir: paths.agent.registryHosts,
      disableDefaultEndpoint: config.disableDefaultRegistryEndpoint,
      direct,
      log,
      events: options.events,
    }),
    imagesComponent('images', ['containerd', 'registries'], {
      socketPath: runPaths.containerdSocket,
      binDir: joinPath(options.currentDir, 'bin'),
      bundledDir: joinPath(options.currentDir, 'images'),
      userDir: paths.agent.images,
      recordPath: joinPath(paths.agent.dir, 'images.json'),
      snapshotter: config.snapshotter,
      log,
      events: options.events,
    }),
    resolvConfOf(options, membership),
    ...Object.values(node),
    podProbes,
    serviceRoute({ after: ['join'], serviceCidr: () => membership.settings.serviceCidr, log }),
    channel,
    task('node-ready', ['kubelet', 'cni', 'images', 'kube-proxy', 'flanneld'], async (signal, saysWait) => {
      // Without a network the node is Ready when somebody has brought one, which needs a cluster that runs.
      if (membership.settings.flannelBackend !== 'none') await nodeReady(membership.ownNode, saysWait, signal);
      isStarted = true;
    }),
    certificateTimer({
      name: 'node-certificates',
      after: ['join'],
      log,
      renew: async () => ((await membership.renew()) ? ['kubelet', 'kube-proxy', 'flannel'] : []),
    }),
    addressWatch({
      after: ['node-ready'],
      present: membership.facts,
      look: () => nodeAddress({ ...options.wantedAddress, kept: membership.facts.nodeIp }, hostRoot()),
      async onChange(address) {
        await membership.move(address);
        await Promise.all([restart(kubelet), restart(flanneld), restart(channel)]);
      },
      log,
    }),
    clusterDns({ after: ['node-ready'], settings: () => membership.settings, events: options.events, log }),
    heartbeatAtEvents(options.events, channel),
    ...offline.components,
  ];
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

async function restart(component: Component): Promise<void> {
  await component.stop();
  await component.start(new AbortController().signal);
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

/** The programs of a node, each made of what is known when those it is `after` are ready. */
function nodePrograms(
  options: AgentOptions & { readonly direct: () => readonly string[] },
  membership: Membership,
  after: AgentOptions['after'] & { readonly balancer: readonly string[] },
) {
  const { config, paths, supervisor } = options;
  const binDir = joinPath(options.currentDir, 'bin');
  const afterApiserver = ['join', ...after.assets, ...after.apiserver, ...after.balancer];
  const shared = () => ({ supervisor, paths, facts: membership.facts, binDir, after: [], direct: options.direct() });
  const inCluster = () => ({ ...shared(), settings: membership.settings });
  const bringsOwnNetwork = () => membership.settings.flannelBackend === 'none';
  const containerdFor = (backend: ClusterSettings['flannelBackend']) =>
    containerdComponent({
      ...shared(),
      cniBinDirs: cniBinDirs(joinPath(options.currentDir, 'cni'), backend),
      cniConfDir: cniConfDir(paths, backend),
      snapshotter: config.snapshotter,
      defaultRuntime: config.defaultRuntime,
      nonrootDevices: config.nonrootDevices,
      log: options.log,
      sandboxImage: config.pauseImage ?? options.image('pause'),
    });
  /** containerd does not wait for the join: on a node's first start the cluster's backend is guessed. */
  let startedFor: ClusterSettings['flannelBackend'] | undefined;
  const guessed = () =>
    options.settings?.flannelBackend ?? (membership.isJoined ? membership.settings.flannelBackend : 'vxlan');

  // With a proxy it has to be told what is the cluster's own.
  const knowsCluster = usesProxy(containerdsOwn(process.env)) ? ['join'] : [];
  const containerd = deferred('containerd', [...after.assets, ...knowsCluster], () => {
    startedFor = guessed();
    return containerdFor(startedFor);
  });

  return {
    containerd,
    kubelet: deferred('kubelet', ['join', 'containerd', 'registries', 'resolv-conf', ...after.balancer], () => {
      const { files } = membership.identity;
      return kubeletComponent({
        ...inCluster(),
        kubeconfigPath: files.kubeletKubeconfig,
        clientCaPath: files.clientCa,
        servingCertPath: files.pairs.kubeletServing.certPath,
        servingKeyPath: files.pairs.kubeletServing.keyPath,
        labels: config.nodeLabel,
        taints: config.nodeTaint,
        extraArgs: config.kubeletArg,
        protectKernelDefaults: config.protectKernelDefaults || config.profile === 'cis',
        isHardened: config.profile === 'cis',
        ownNode: membership.ownNode,
        log: options.log,
        credentialProvider: {
          binDir: config.imageCredentialProviderBinDir,
          config: config.imageCredentialProviderConfig,
        },
        // The server writes what a kubelet cannot say of itself.
        addressesComeFromServer:
          config.nodeExternalIp.length + config.nodeInternalDns.length + config.nodeExternalDns.length > 0,
      });
    }),
    kubeProxy: deferred('kube-proxy', afterApiserver, () =>
      membership.settings.disableKubeProxy === true
        ? task('kube-proxy', [], async () => {})
        : kubeProxyComponent({
            ...inCluster(),
            kubeconfigPath: membership.identity.files.kubeProxyKubeconfig,
            extraArgs: config.kubeProxyArg,
            log: options.log,
          }),
    ),
    flanneld: deferred('flanneld', afterApiserver, () =>
      bringsOwnNetwork()
        ? task('flanneld', [], async () => {})
        : flannelComponent({ ...inCluster(), kubeconfigPath: membership.identity.files.flannelKubeconfig }),
    ),
    // Not before the images are there: a pod that does not find its own waits ten seconds to look again.
    cni: deferred('cni', ['kubelet', 'images'], () =>
      bringsOwnNetwork()
        ? task('cni', [], async () => {
            if (startedFor !== 'none') await restart(containerd); // it looks in other folders then
          })
        : cniComponent('cni', [], {
            paths,
            backend: membership.settings.flannelBackend,
            interfaceName: membership.facts.defaultInterface,
            podCidr: (signal, saysWait) =>
              podCidr({ ...membership.ownNode, clusterCidr: membership.settings.clusterCidr }, saysWait, signal),
          }),
    ),
  };
}
