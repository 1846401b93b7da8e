/** The programs of a node, each made of what is known when those it is `after` are ready. */
import { join as joinPath } from 'node:path';
import { deferred, task } from '../shared/component/component.ts';
import type { Component, ComponentName } from '../shared/component/component.ts';
import type { ClusterSettings } from '../shared/protocol/join.ts';
import { usesProxy } from '../shared/proxy/proxy.ts';
import type { Membership } from './membership/membership.ts';
import {
  cniBinDirs,
  cniComponent,
  cniConfDir,
  flannelComponent,
  networkPoliciesComponent,
  networkPoliciesSocket,
} from './network/network.ts';
import { kubeletComponent, kubeProxyComponent, podCidr } from './node/node.ts';
import { containerdComponent, containerdsOwn } from './runtime/runtime.ts';
import type { AgentOptions } from './types.ts';

export interface NodeProgramsOptions extends Omit<AgentOptions, 'after'> {
  readonly membership: Membership;
  /** What is reached without a proxy, as it is known now. */
  readonly direct: () => readonly string[];
  readonly after: AgentOptions['after'] & { readonly balancer: readonly ComponentName[] };
}

type Backend = ClusterSettings['flannelBackend'];

export function nodePrograms(options: NodeProgramsOptions): readonly Component[] {
  const { containerd, isMadeFor } = containerdProgram(options);
  return [
    containerd,
    kubeletProgram(options),
    kubeProxyProgram(options),
    flannelProgram(options),
    networkPoliciesProgram(options),
    cniProgram(options, isMadeFor),
  ];
}

const nothing = (name: ComponentName) => task(name, [], async () => {});

function shared({ supervisor, paths, membership, currentDir, direct }: NodeProgramsOptions) {
  const binDir = joinPath(currentDir, 'bin');
  return { supervisor, paths, facts: membership.facts, binDir, after: [], direct: direct() };
}

const inCluster = (options: NodeProgramsOptions) => ({ ...shared(options), settings: options.membership.settings });
const bringsOwnNetwork = ({ membership }: NodeProgramsOptions) => membership.settings.flannelBackend === 'none';
const afterApiserver = ({ after }: NodeProgramsOptions): readonly ComponentName[] => [
  'join',
  ...after.assets,
  ...after.apiserver,
  ...after.balancer,
];

/** It does not wait for the join: on a node's first start the cluster's backend is guessed. */
function containerdProgram(options: NodeProgramsOptions) {
  const { config, membership, paths, after } = options;
  let madeFor: Backend | undefined;
  const guessed = () =>
    options.settings?.flannelBackend ?? (membership.isJoined ? membership.settings.flannelBackend : 'vxlan');
  // With a proxy it has to be told what is the cluster's own.
  const knowsCluster: readonly ComponentName[] = usesProxy(containerdsOwn(process.env)) ? ['join'] : [];
  const containerd = deferred('containerd', [...after.containerd, ...knowsCluster], () => {
    madeFor = guessed();
    return containerdComponent({
      ...shared(options),
      cniBinDirs: cniBinDirs(joinPath(options.currentDir, 'cni'), madeFor),
      cniConfDir: cniConfDir(paths, madeFor),
      snapshotter: config.snapshotter,
      defaultRuntime: config.defaultRuntime,
      nonrootDevices: config.nonrootDevices,
      log: options.log,
      sandboxImage: config.pauseImage ?? options.image('pause'),
    });
  });
  return { containerd, isMadeFor: (backend: Backend) => madeFor === backend };
}

function kubeletProgram(options: NodeProgramsOptions): Component {
  const { config, membership, after, log } = options;
  const before = [...after.assets, ...after.balancer];
  return deferred('kubelet', ['join', 'containerd', 'registries', 'resolv-conf', ...before], () => {
    const { files } = membership.identity;
    return kubeletComponent({
      ...inCluster(options),
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
      log,
      credentialProvider: {
        binDir: config.imageCredentialProviderBinDir,
        config: config.imageCredentialProviderConfig,
      },
      // The server writes what a kubelet cannot say of itself.
      addressesComeFromServer:
        config.nodeExternalIp.length + config.nodeInternalDns.length + config.nodeExternalDns.length > 0,
    });
  });
}

function kubeProxyProgram(options: NodeProgramsOptions): Component {
  const { config, membership, log } = options;
  return deferred('kube-proxy', afterApiserver(options), () =>
    membership.settings.disableKubeProxy === true
      ? nothing('kube-proxy')
      : kubeProxyComponent({
          ...inCluster(options),
          kubeconfigPath: membership.identity.files.kubeProxyKubeconfig,
          extraArgs: config.kubeProxyArg,
          log,
        }),
  );
}

function flannelProgram(options: NodeProgramsOptions): Component {
  return deferred('flanneld', afterApiserver(options), () => {
    if (bringsOwnNetwork(options)) return nothing('flanneld');
    const kubeconfigPath = options.membership.identity.files.flannelKubeconfig;
    return flannelComponent({ ...inCluster(options), kubeconfigPath });
  });
}

/** By kube-proxy's certificate: what both are told is where packets of the whole cluster may go. */
function networkPoliciesProgram(options: NodeProgramsOptions): Component {
  return deferred('network-policies', afterApiserver(options), () => {
    const kubeconfigPath = options.membership.identity.files.kubeProxyKubeconfig;
    return networkPoliciesComponent({ ...inCluster(options), kubeconfigPath });
  });
}

/** Not before the images are there: a pod that does not find its own waits ten seconds to look again. */
function cniProgram(options: NodeProgramsOptions, containerdIsMadeFor: (backend: Backend) => boolean): Component {
  const { paths, membership, restart } = options;
  return deferred('cni', ['kubelet', 'images'], () => {
    if (bringsOwnNetwork(options)) {
      return task('cni', [], async () => {
        if (!containerdIsMadeFor('none')) await restart('containerd'); // it looks in other folders then
      });
    }
    return cniComponent('cni', [], {
      paths,
      backend: membership.settings.flannelBackend,
      interfaceName: membership.facts.defaultInterface,
      policiesSocket: networkPoliciesSocket,
      podCidr: (signal, saysWait) =>
        podCidr({ ...membership.ownNode, clusterCidr: membership.settings.clusterCidr }, saysWait, signal),
    });
  });
}
