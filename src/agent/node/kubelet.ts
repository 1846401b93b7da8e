import { join } from 'node:path';
import { commandLine, flagsOf, valueOf } from '../../shared/arguments/arguments.ts';
import type { Flags } from '../../shared/arguments/arguments.ts';
import { makeFolderIfPossible, writeFileIfChanged } from '../../shared/files/files.ts';
import type { Log } from '../../shared/log/log.ts';
import { runPaths } from '../../shared/paths.ts';
import type { Paths } from '../../shared/paths.ts';
import { childEnvironment, processComponent } from '../../host/process/process.ts';
import type { Supervisor } from '../../host/process/process.ts';
import type { ClusterSettings } from '../../shared/protocol/join.ts';
import { hostAt } from '../../host/service/service.ts';
import { isGoingDown } from '../../host/checks/checks.ts';
import type { HostFacts } from '../../host/checks/checks.ts';
import { kubeletRules } from './argument-rules.ts';
import { healthz, staysHealthy } from './healthz.ts';
import { dropInDir, kubeletHealthz, kubeletsOwnSetting } from './kubelet-drop-ins.ts';
import { processOf } from './node-process.ts';
import { podsReported } from './own-node.ts';
import type { NodeAccess } from '../../kube/kube.ts';
import { kubeletConfiguration } from './kubelet-config.ts';
import type { ComponentName } from '../../shared/component/component.ts';

export interface KubeletOptions {
  readonly after: readonly ComponentName[];
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
  /** What it reaches without a proxy, as `NO_PROXY` has it. */
  readonly direct: readonly string[];
  /** `--kubelet-arg`: `v=4`. They win. */
  readonly extraArgs: readonly string[];
  readonly protectKernelDefaults: boolean;
  /** `--profile cis` */
  readonly isHardened: boolean;
  /** Programs that know passwords of registries. */
  readonly credentialProvider: { readonly binDir: string | undefined; readonly config: string | undefined };
  readonly ownNode: NodeAccess;
  readonly log: Log;
  /** The node waits with a taint until the server has written its addresses. */
  readonly addressesComeFromServer: boolean;
}

/** The kubelet; ready when it says it is healthy. The node is Ready later, when its network is. */
export function kubeletComponent(options: KubeletOptions) {
  const { paths, facts, settings, binDir, direct } = options;
  const configPath = join(paths.agent.etc, 'kubelet.json');
  const operatorsDir = join(paths.agent.etc, 'kubelet.conf.d');
  const theirs = flagsOf(options.extraArgs);
  const kubelet = processComponent({
    name: 'kubelet',
    after: options.after,
    supervisor: options.supervisor,
    specify: async () => {
      for (const dir of [paths.agent.podManifests, operatorsDir]) makeFolderIfPossible(dir, 0o700, options.log);
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
      const dropIns = dropInDir(theirs, operatorsDir, join(paths.agent.etc, 'kubelet-arg.conf.d'));
      const passed = theirs.filter(({ name }) => name !== 'config' && name !== 'config-dir');
      const healthAt = kubeletHealthz(
        { host: configuration.healthzBindAddress, port: configuration.healthzPort },
        dropIns,
        passed,
      );
      const process = processOf('kubelet', kubeletsOwnSetting(dropIns, passed), options.log);
      return {
        ...process.spec,
        command: join(binDir, 'kubelet'),
        args: commandLine(
          { config: configPath, 'config-dir': dropIns, ...kubeletFlags(options) },
          passed,
          kubeletRules,
        ),
        env: childEnvironment(process.name, { path: binDir, direct }),
        ready: (signal) => healthz(healthAt, signal, { withinMs: 2000 }),
        live: staysHealthy(healthAt),
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

export function kubeletFlags(
  options: Pick<KubeletOptions, 'paths' | 'facts' | 'kubeconfigPath' | 'labels' | 'taints' | 'extraArgs'> &
    Pick<KubeletOptions, 'addressesComeFromServer' | 'credentialProvider'>,
): Flags {
  const { paths, facts, labels, taints, credentialProvider } = options;
  const isTaintedByFlag = valueOf(flagsOf(options.extraArgs), 'register-with-taints') !== undefined;
  return {
    kubeconfig: options.kubeconfigPath,
    'hostname-override': facts.nodeName,
    'node-ip': facts.nodeIp,
    'root-dir': paths.agent.kubelet,
    'cert-dir': join(paths.agent.kubelet, 'pki'),
    ...(labels.length > 0 && { 'node-labels': labels.join(',') }),
    ...(isTaintedByFlag && { 'register-with-taints': taints.join(',') }), // which would hide those of the file
    ...(options.addressesComeFromServer && { 'cloud-provider': 'external' }),
    ...(credentialProvider.binDir !== undefined && { 'image-credential-provider-bin-dir': credentialProvider.binDir }),
    ...(credentialProvider.config !== undefined && { 'image-credential-provider-config': credentialProvider.config }),
  };
}
