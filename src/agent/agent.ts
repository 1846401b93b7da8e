/**
 * @module
 * A node: builds the agent's rooms and joins them, no logic of its own.
 *
 *   join ─▶ load-balancer ─▶ kubelet, kube-proxy, flanneld ─▶ cni ─▶ node-ready
 *   containerd ─▶ images, kubelet
 *   join ─▶ channel
 *   node-ready ─▶ offline-memory
 */
import { join as joinPath } from 'node:path';
import { certificateTimer } from '../shared/certificates/certificates.ts';
import { deferred, task, type Component } from '../shared/component/component.ts';
import type { EventLog } from '../shared/events/events.ts';
import { readFileIfExists } from '../shared/files/files.ts';
import { contains } from '../shared/ipv4/ipv4.ts';
import type { Log, LogLevel } from '../shared/log/log.ts';
import { runPaths, type Paths } from '../shared/paths.ts';
import type { Supervisor } from '../shared/process/process.ts';
import type { ClusterSettings } from '../shared/protocol/join.ts';
import type { Secret } from '../shared/secret.ts';
import { version } from '../shared/version/version.ts';
import { addressWatch } from './address-watch.ts';
import {
  createChannel,
  createCommands,
  createLook,
  factsOf,
  NodeRemovedError,
  type Channel,
} from './channel/channel.ts';
import type { NodeConfig } from './config.ts';
import { hostRoot, kernelProblems, nodeAddress, type HostFacts } from './host/host.ts';
import {
  checkSettings,
  forgetIdentity,
  join,
  joinPatiently,
  renewIfDue,
  storeServers,
  supervisorUrl,
  type GivenSettings,
  type JoinOptions,
  type NodeIdentity,
} from './join/join.ts';
import { createLoadBalancer } from './load-balancer/load-balancer.ts';
import { cniBinDirs, cniComponent, cniConfDir, flannelComponent } from './network/network.ts';
import { kubeletComponent, kubeProxyComponent, nodeReady, podCidr, type OwnNodeOptions } from './node/node.ts';
import { noOfflineBoot, offlineBoot } from './offline-boot.ts';
import { containerdComponent, imagesComponent } from './runtime/runtime.ts';

export interface AgentOptions {
  readonly config: NodeConfig;
  readonly paths: Paths;
  readonly supervisor: Supervisor;
  readonly events: EventLog;
  readonly log: Log;
  readonly setLogLevel: (level: LogLevel) => void;
  readonly facts: HostFacts;
  readonly kubernetesVersion: string;
  /** A server's supervisor, and the token by which it lets this node in; read when it is needed. */
  readonly server: { readonly url: string; readonly token: Secret };
  /** Takes the name over from a machine that is gone. */
  readonly replace?: boolean;
  /** What the operator says of the cluster here: it must agree. */
  readonly given?: GivenSettings;
  /** A server's own node knows them; another node learns them when it joins. */
  readonly settings?: ClusterSettings;
  /** Of the load balancer; a server's own node, which has its kube-apiserver beside it, needs none. */
  readonly balancerPort?: number;
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

export function createAgent(options: AgentOptions): readonly Component[] {
  const { config, paths, supervisor, log, after } = options;
  const binDir = joinPath(options.currentDir, 'bin');
  /** Changes when the box gets another address. */
  let { facts } = options;
  let isStarted = false;
  /** Known only when the node has joined. */
  let joined: NodeIdentity | undefined;
  const identity = (): NodeIdentity => {
    if (joined === undefined) throw new TypeError('a component that needs the identity is not after join');
    return joined;
  };
  const settings = (): ClusterSettings => options.settings ?? identity().settings;
  const shared = () => ({ supervisor, paths, facts, binDir, after: [] });
  const balanced: { readonly apiserverUrl?: string } =
    options.balancerPort === undefined ? {} : { apiserverUrl: `https://127.0.0.1:${options.balancerPort}` };
  const offline =
    balanced.apiserverUrl === undefined || options.remembers !== true
      ? noOfflineBoot(paths)
      : offlineBoot({
          after: ['node-ready'],
          paths,
          nodeName: facts.nodeName,
          kubernetesVersion: options.kubernetesVersion,
          apiserverUrl: balanced.apiserverUrl,
          identity,
          needsServiceAccounts: config.imageCredentialProviderConfig !== undefined,
          log,
        });
  let alsoTrusted: Awaited<ReturnType<typeof offline.prepare>> = {};
  const joining = (): JoinOptions => ({
    ...options.server,
    ...balanced,
    ...alsoTrusted,
    nodeName: facts.nodeName,
    addresses: [facts.nodeIp, ...config.nodeExternalIp],
    paths,
    version,
    kubernetesVersion: options.kubernetesVersion,
    log,
    ...(options.replace === true && { replace: true }),
  });
  const certificatePaths = () => {
    const { kubeletCert, kubeletServingCert, kubeProxyCert, flannelCert } = identity().files;
    return [kubeletCert, kubeletServingCert, kubeProxyCert, flannelCert];
  };
  const ownNode = (): OwnNodeOptions => {
    const { files, apiserverUrls } = identity();
    const credentials = { caPath: files.apiserverCa, certPath: files.kubeletCert, keyPath: files.kubeletKey };
    return { apiserverUrl: balanced.apiserverUrl ?? apiserverUrls[0] ?? '', nodeName: facts.nodeName, ...credentials };
  };
  /** flanneld and its configuration, unless the operator brings another network. */
  const withFlannel = (name: string, make: () => Component): Component =>
    settings().flannelBackend === 'none' ? task(name, [], async () => {}) : make();

  const balancer =
    options.balancerPort === undefined
      ? []
      : [
          createLoadBalancer({
            after: ['join'],
            port: options.balancerPort,
            apiserverUrls: () => identity().apiserverUrls,
            caPath: () => identity().files.serverCa,
            ...offline.fallback,
            log,
          }),
        ];
  const apiserver = [...after.apiserver, ...balancer.map((component) => component.name)];

  /** containerd does not wait for the join: on a node's first start the cluster's backend is guessed. */
  let startedFor: ClusterSettings['flannelBackend'] | undefined;
  const containerd = deferred('containerd', after.assets, () => {
    const backend = (startedFor = options.settings?.flannelBackend ?? joined?.settings.flannelBackend ?? 'vxlan');
    return containerdComponent({
      ...shared(),
      cniBinDirs: cniBinDirs(joinPath(options.currentDir, 'cni'), backend),
      cniConfDir: cniConfDir(paths, backend),
      snapshotter: config.snapshotter,
      sandboxImage: config.pauseImage ?? options.image('pause'),
    });
  });
  const kubelet = deferred('kubelet', ['join', 'containerd', ...balancer.map((component) => component.name)], () => {
    const { files } = identity();
    return kubeletComponent({
      ...shared(),
      settings: settings(),
      kubeconfigPath: files.kubeletKubeconfig,
      clientCaPath: files.clientCa,
      servingCertPath: files.kubeletServingCert,
      servingKeyPath: files.kubeletServingKey,
      labels: config.nodeLabel,
      taints: config.nodeTaint,
      extraArgs: config.kubeletArg,
      protectKernelDefaults: config.protectKernelDefaults,
      credentialProvider: {
        binDir: config.imageCredentialProviderBinDir,
        config: config.imageCredentialProviderConfig,
      },
      // The server writes what a kubelet cannot say of itself.
      addressesComeFromServer:
        config.nodeExternalIp.length + config.nodeInternalDns.length + config.nodeExternalDns.length > 0,
    });
  });
  const kubeProxy = deferred('kube-proxy', ['join', ...after.assets, ...apiserver], () => {
    const { files } = identity();
    return kubeProxyComponent({
      ...shared(),
      settings: settings(),
      kubeconfigPath: files.kubeProxyKubeconfig,
      extraArgs: config.kubeProxyArg,
    });
  });
  const flanneld = deferred('flanneld', ['join', ...after.assets, ...apiserver], () =>
    withFlannel('flanneld', () =>
      flannelComponent({ ...shared(), settings: settings(), kubeconfigPath: identity().files.flannelKubeconfig }),
    ),
  );
  // Not before the images are there: a pod that does not find its own waits ten seconds to look again.
  const cni = deferred('cni', ['kubelet', 'images'], () =>
    withFlannel('cni', () =>
      cniComponent('cni', [], {
        paths,
        backend: settings().flannelBackend,
        interfaceName: facts.defaultInterface,
        podCidr: (signal) => podCidr(ownNode(), signal),
      }),
    ),
  );
  const channel: Channel = createChannel({
    after: ['join', ...after.server],
    supervisorUrls: () => [...new Set([supervisorUrl(options.server.url), ...identity().supervisorUrls])],
    credentials: () => {
      const { serverCa, kubeletCert, kubeletKey } = identity().files;
      return { caPath: serverCa, certPath: kubeletCert, keyPath: kubeletKey };
    },
    hello: () => ({
      type: 'hello',
      version,
      kubernetesVersion: options.kubernetesVersion,
      machineId: readFileIfExists('/etc/machine-id')?.trim() ?? '',
      bootId: readFileIfExists('/proc/sys/kernel/random/boot_id')?.trim() ?? '',
      internalIps: [facts.nodeIp],
      externalIps: config.nodeExternalIp,
      internalDns: config.nodeInternalDns,
      externalDns: config.nodeExternalDns,
      facts: factsOf(),
    }),
    look: createLook({ processes: () => supervisor.processes(), dataDir: paths.dataDir, certificatePaths }),
    carryOut: createCommands({
      supervisor,
      logDir: paths.logs,
      setLogLevel: options.setLogLevel,
      leave() {
        forgetIdentity(paths);
        offline.forget();
        options.onFatal(new NodeRemovedError(facts.nodeName));
      },
    }),
    mayDial: (host) => host === facts.nodeIp || contains(settings().clusterCidr, host),
    onServers(servers) {
      storeServers(paths, servers);
      const urls = (key: 'apiserverUrl' | 'supervisorUrl') => servers.map((server) => server[key]);
      joined = { ...identity(), apiserverUrls: urls('apiserverUrl'), supervisorUrls: urls('supervisorUrl') };
    },
    // A server whose datastore is older than this node takes it in again, if its token is good.
    onNotJoined: async () => {
      try {
        joined = await join({ ...joining(), isForgotten: true }, AbortSignal.timeout(30_000));
        if (!isStarted) return; // what starts now registers by itself
        await restart(kubelet); // it registers as it starts
        await Promise.all([restart(flanneld), restart(cni)]);
      } catch (error) {
        log.warn('the server does not know this node, and does not take it in', { error });
      }
    },
    log,
  });
  const restart = async (component: Component): Promise<void> => {
    await component.stop();
    await component.start(new AbortController().signal);
  };

  return [
    task('join', after.server, async (signal) => {
      alsoTrusted = await offline.prepare();
      joined = await joinPatiently(joining(), signal);
      checkSettings(options.given ?? {}, settings());
      log.info('cluster settings', { ...settings() });
      options.onJoined?.(settings());
      const [problem] = await kernelProblems(settings().flannelBackend);
      if (problem !== undefined) throw problem;
    }),
    ...balancer,
    containerd,
    imagesComponent('images', ['containerd'], {
      socketPath: runPaths.containerdSocket,
      binDir,
      bundledDir: joinPath(options.currentDir, 'images'),
      userDir: paths.agent.images,
      recordPath: joinPath(paths.agent.dir, 'images.json'),
      log,
    }),
    kubelet,
    kubeProxy,
    flanneld,
    channel,
    cni,
    task('node-ready', ['kubelet', 'cni', 'images', 'kube-proxy', 'flanneld'], async (signal) => {
      const isOwnNetwork = settings().flannelBackend === 'none';
      if (isOwnNetwork && startedFor !== 'none') await restart(containerd);
      // Without a network the node is Ready when somebody has brought one, which needs a cluster that runs.
      if (!isOwnNetwork) await nodeReady(ownNode(), signal);
      isStarted = true;
    }),
    certificateTimer({
      name: 'node-certificates',
      after: ['join'],
      log,
      renew: async () =>
        (await renewIfDue(joining(), AbortSignal.timeout(60_000))) ? ['kubelet', 'kube-proxy', 'flannel'] : [],
    }),
    addressWatch({
      after: ['node-ready'],
      present: facts,
      look: () => nodeAddress({ nodeIp: config.nodeIp, interfaceName: config.flannelIface }, hostRoot()),
      async onChange(address) {
        facts = { ...facts, ...address };
        joined = await join(joining(), AbortSignal.timeout(30_000)); // the serving certificate is for the new address
        await Promise.all([restart(kubelet), restart(flanneld), restart(channel)]);
      },
      log,
    }),
    followEvents(options.events, channel),
    ...offline.components,
  ];
}

/** What happens to a child is told to the server at once. */
function followEvents(events: EventLog, channel: Channel): Component {
  const stopping = new AbortController();
  let work = Promise.resolve();
  return {
    ...task('beats', ['channel', 'node-ready'], async () => {
      channel.beatNow();
      work = (async () => {
        for await (const _ of events.follow(stopping.signal)) channel.beatNow();
      })();
    }),
    async stop() {
      stopping.abort();
      await work;
    },
  };
}
