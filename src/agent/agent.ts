/**
 * @module
 * A node: builds the agent's rooms and joins them, no logic of its own.
 *
 *   join ─▶ kubelet, kube-proxy, flanneld ─▶ cni ─▶ node-ready
 *   containerd ─▶ images, kubelet
 */
import { join as joinPath } from 'node:path';
import { deferred, task, type Component } from '../shared/component/component.ts';
import type { Log } from '../shared/log/log.ts';
import { runPaths, type Paths } from '../shared/paths.ts';
import type { Supervisor } from '../shared/process/process.ts';
import type { ClusterSettings } from '../shared/protocol/join.ts';
import type { Secret } from '../shared/secret.ts';
import { version } from '../shared/version/version.ts';
import type { NodeConfig } from './config.ts';
import type { HostFacts } from './host/host.ts';
import { join, type NodeIdentity } from './join/join.ts';
import { cniComponent, cniConfDir, flannelComponent, removeConflist } from './network/network.ts';
import { kubeletComponent, kubeProxyComponent, nodeReady, podCidr, type OwnNodeOptions } from './node/node.ts';
import { containerdComponent, imagesComponent } from './runtime/runtime.ts';

export interface AgentOptions {
  readonly config: NodeConfig;
  readonly paths: Paths;
  readonly supervisor: Supervisor;
  readonly log: Log;
  readonly facts: HostFacts;
  /** A server's supervisor, and the token by which it lets this node in; read when it is needed. */
  readonly server: { readonly url: string; readonly token: Secret };
  /** A server's own node knows them; another node learns them when it joins. */
  readonly settings?: ClusterSettings;
  /** Where the unpacked components are: the path stays, what it leads to changes with the version. */
  readonly currentDir: string;
  readonly image: (name: string) => string;
  /** Names of components outside that come first. */
  readonly after: {
    readonly assets: readonly string[];
    readonly server: readonly string[];
    readonly apiserver: readonly string[];
  };
}

/** What is known only when the node has joined. */
interface Joined {
  identity?: NodeIdentity;
}

export function createAgent(options: AgentOptions): readonly Component[] {
  const { config, paths, supervisor, log, facts, after } = options;
  const binDir = joinPath(options.currentDir, 'bin');
  const shared = { supervisor, paths, facts, binDir, after: [] };
  const joined: Joined = {};
  const identity = (): NodeIdentity => {
    if (joined.identity === undefined) throw new TypeError('a component that needs the identity is not after join');
    return joined.identity;
  };
  const ownNode = (): OwnNodeOptions => {
    const { files, apiserverUrls } = identity();
    const credentials = { caPath: files.serverCa, certPath: files.kubeletCert, keyPath: files.kubeletKey };
    return { apiserverUrl: apiserverUrls[0] ?? '', nodeName: facts.nodeName, ...credentials };
  };
  /** flanneld and its configuration, unless the operator brings another network. */
  const withFlannel = (name: string, make: () => Component): Component =>
    identity().settings.flannelBackend === 'none' ? task(name, [], async () => removeConflist(paths)) : make();

  return [
    task('join', after.server, async (signal) => {
      const joining = { ...options.server, nodeName: facts.nodeName, addresses: [facts.nodeIp], paths, version, log };
      const identity = await join(joining, signal);
      joined.identity = { ...identity, settings: options.settings ?? identity.settings };
    }),
    deferred('containerd', after.assets, () =>
      containerdComponent({
        ...shared,
        cniBinDir: joinPath(options.currentDir, 'cni'),
        cniConfDir: cniConfDir(paths),
        snapshotter: config.snapshotter,
        sandboxImage: config.pauseImage ?? options.image('pause'),
      }),
    ),
    imagesComponent('images', ['containerd'], {
      socketPath: runPaths.containerdSocket,
      binDir,
      bundledDir: joinPath(options.currentDir, 'images'),
      userDir: paths.agent.images,
      recordPath: joinPath(paths.agent.dir, 'images.json'),
      log,
    }),
    deferred('kubelet', ['join', 'containerd'], () => {
      const { settings, files } = identity();
      return kubeletComponent({
        ...shared,
        settings,
        kubeconfigPath: files.kubeletKubeconfig,
        clientCaPath: files.clientCa,
        servingCertPath: files.kubeletServingCert,
        servingKeyPath: files.kubeletServingKey,
        labels: config.nodeLabel,
        taints: config.nodeTaint,
        extraArgs: config.kubeletArg,
      });
    }),
    deferred('kube-proxy', ['join', ...after.assets, ...after.apiserver], () => {
      const { settings, files } = identity();
      return kubeProxyComponent({
        ...shared,
        settings,
        kubeconfigPath: files.kubeProxyKubeconfig,
        extraArgs: config.kubeProxyArg,
      });
    }),
    deferred('flanneld', ['join', ...after.assets, ...after.apiserver], () =>
      withFlannel('flanneld', () => {
        const { settings, files } = identity();
        return flannelComponent({ ...shared, settings, kubeconfigPath: files.flannelKubeconfig });
      }),
    ),
    // Not before the images are there: a pod that does not find its own waits ten seconds to look again.
    deferred('cni', ['kubelet', 'images'], () =>
      withFlannel('cni', () =>
        cniComponent('cni', [], {
          paths,
          backend: identity().settings.flannelBackend,
          interfaceName: facts.defaultInterface,
          podCidr: (signal) => podCidr(ownNode(), signal),
        }),
      ),
    ),
    task('node-ready', ['kubelet', 'cni', 'images', 'kube-proxy', 'flanneld'], (signal) =>
      nodeReady(ownNode(), signal),
    ),
  ];
}
