import { join } from 'node:path';
import { makeFolderIfPossible, writeFileIfChanged } from '../../shared/files/files.ts';
import type { Log } from '../../shared/log/log.ts';
import { runPaths, type Paths } from '../../shared/paths.ts';
import { childEnvironment } from '../../shared/process/process.ts';
import { processComponent, type Supervisor } from '../../shared/process/process.ts';
import type { ClusterSettings } from '../../shared/protocol/join.ts';
import { hostAt } from '../../shared/service/service.ts';
import { isGoingDown, type HostFacts } from '../host/host.ts';
import { healthz } from './healthz.ts';
import { podsReported, type OwnNodeOptions } from './own-node.ts';
import { kubeletConfiguration, kubeletHealthzPort } from './kubelet-config.ts';

export interface KubeletOptions {
  readonly after: readonly string[];
  readonly supervisor: Supervisor;
  readonly paths: Paths;
  readonly facts: HostFacts;
  readonly settings: ClusterSettings;
  readonly binDir: string;
  readonly kubeconfigPath: string;
  readonly clientCaPath: string;
  readonly servingCertPath: string;
  readonly servingKeyPath: string;
  /** `key=value`; the kubelet may not give itself labels below node-role.kubernetes.io, the server does that. */
  readonly labels: readonly string[];
  readonly taints: readonly string[];
  /** `--kubelet-arg`, each without its dashes: `v=4`. They come last and win. */
  readonly extraArgs: readonly string[];
  readonly protectKernelDefaults: boolean;
  /** `--profile cis` */
  readonly isHardened: boolean;
  /** Programs that know passwords of registries. */
  readonly credentialProvider: { readonly binDir: string | undefined; readonly config: string | undefined };
  readonly ownNode: OwnNodeOptions;
  readonly log: Log;
  /** The node waits with a taint until the server has written its addresses. */
  readonly addressesComeFromServer: boolean;
}

/** The kubelet; ready when it says it is healthy. The node is Ready later, when its network is. */
export function kubeletComponent(options: KubeletOptions) {
  const { paths, facts, settings, binDir } = options;
  const configPath = join(paths.agent.etc, 'kubelet.json');
  const dropInDir = join(paths.agent.etc, 'kubelet.conf.d');
  const kubelet = processComponent({
    name: 'kubelet',
    after: options.after,
    supervisor: options.supervisor,
    specify: async () => {
      for (const dir of [paths.agent.podManifests, dropInDir]) makeFolderIfPossible(dir, 0o700, options.log);
      const configuration = kubeletConfiguration({
        facts,
        clusterDns: settings.clusterDns,
        clusterDomain: settings.clusterDomain,
        clientCaPath: options.clientCaPath,
        servingCertPath: options.servingCertPath,
        servingKeyPath: options.servingKeyPath,
        staticPodDir: paths.agent.podManifests,
        volumePluginDir: paths.agent.volumePlugins,
        containerdSocket: runPaths.containerdSocket,
        taints: options.taints,
        protectKernelDefaults: options.protectKernelDefaults,
        isHardened: options.isHardened,
      });
      writeFileIfChanged(configPath, JSON.stringify(configuration, null, 2), 0o600);
      const args = [
        `--config=${configPath}`,
        `--config-dir=${dropInDir}`, // `*.conf`, a person's own; each later one wins
        `--kubeconfig=${options.kubeconfigPath}`,
        `--hostname-override=${facts.nodeName}`,
        `--node-ip=${facts.nodeIp}`,
        `--root-dir=${paths.agent.kubelet}`,
        `--cert-dir=${join(paths.agent.kubelet, 'pki')}`,
        ...(options.labels.length === 0 ? [] : [`--node-labels=${options.labels.join(',')}`]),
        ...(options.addressesComeFromServer ? ['--cloud-provider=external'] : []),
        ...flag('image-credential-provider-bin-dir', options.credentialProvider.binDir),
        ...flag('image-credential-provider-config', options.credentialProvider.config),
        ...options.extraArgs.map((arg) => `--${arg}`),
      ];
      return {
        command: join(binDir, 'kubelet'),
        args,
        env: childEnvironment('kubelet', { path: binDir }),
        ready: (signal) => healthz(kubeletHealthzPort, signal),
        stopTimeoutMs: 10_000,
        backoff: { minMs: 200, maxMs: 10_000, stableAfterMs: 10_000 },
      };
    },
  });
  return {
    ...kubelet,
    async stop() {
      if (facts.logindWaits && (await isGoingDown(hostAt('/')))) await podsReported(options.ownNode);
      await kubelet.stop();
    },
  };
}

function flag(name: string, value: string | undefined): readonly string[] {
  return value === undefined ? [] : [`--${name}=${value}`];
}
