import { strongCipherSuites } from '../../shared/tls-cipher-suites.ts';
import { shutdownGrace } from '../../host/checks/checks.ts';
import type { HostFacts } from '../../host/checks/checks.ts';

export interface KubeletSettings {
  readonly facts: HostFacts;
  readonly clusterDns: string;
  readonly clusterDomain: string;
  readonly clientCaPath: string;
  readonly servingCertPath: string;
  readonly servingKeyPath: string;
  readonly staticPodDir: string;
  readonly volumePluginDir: string;
  readonly containerdSocket: string;
  /** Taints as `key=value:Effect`, at the first registration only. */
  readonly taints: readonly string[];
  readonly protectKernelDefaults: boolean;
  readonly isHardened: boolean;
}

/** @see k8s.io/kubelet v0.37.1 config/v1beta1 KubeletConfiguration */
export function kubeletConfiguration(settings: KubeletSettings) {
  const { facts } = settings;
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    // Who may talk to it: whom the cluster's client CA vouches for and kube-apiserver allows.
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: settings.clientCaPath },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: settings.servingCertPath,
    tlsPrivateKeyFile: settings.servingKeyPath,
    tlsMinVersion: 'VersionTLS12',
    tlsCipherSuites: strongCipherSuites,
    readOnlyPort: 0,
    healthzBindAddress: '127.0.0.1',
    healthzPort: 10_248,
    // The host.
    cgroupDriver: facts.cgroupDriver,
    failCgroupV1: false, // v1 still works, and boards run it
    failSwapOn: false,
    protectKernelDefaults: settings.protectKernelDefaults,
    resolvConf: facts.resolvConfPath,
    containerRuntimeEndpoint: `unix://${settings.containerdSocket}`,
    oomScoreAdj: facts.hasSysResource ? -999 : 0,
    // Pods.
    clusterDNS: [settings.clusterDns],
    clusterDomain: settings.clusterDomain,
    staticPodPath: settings.staticPodDir,
    volumePluginDir: settings.volumePluginDir,
    fileCheckFrequency: '5s',
    containerLogMaxSize: '10Mi',
    containerLogMaxFiles: 3,
    serializeImagePulls: false,
    maxParallelImagePulls: 4,
    evictionHard: {
      'memory.available': '100Mi',
      'nodefs.available': '5%',
      'nodefs.inodesFree': '5%',
      'imagefs.available': '5%',
    },
    ...(settings.isHardened ? hardened : {}),
    ...(facts.logindWaits ? gracefulShutdown : {}),
    ...(settings.taints.length === 0 ? {} : { registerWithTaints: settings.taints.map(parseTaint) }),
    // At rest: less to do, less to hold.
    nodeStatusReportFrequency: '5m',
    volumeStatsAggPeriod: '2m',
    enableProfilingHandler: false,
    enableDebugFlagsHandler: false,
    enableSystemLogHandler: false,
    logging: { verbosity: 0 },
  };
}

/** Not for everybody: a Java server may have thousands of threads, and some programs need system calls that this profile refuses. */
const hardened = { podPidsLimit: 4096, seccompDefault: true };

/** The kubelet ends pods itself when the host goes down. Without logind it would only complain. */
const gracefulShutdown = {
  shutdownGracePeriod: `${shutdownGrace.totalSeconds}s`,
  shutdownGracePeriodCriticalPods: `${shutdownGrace.criticalSeconds}s`,
};

interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

/** `key=value:NoSchedule` or `key:NoSchedule` */
export function parseTaint(text: string): Taint {
  const colon = text.lastIndexOf(':');
  const [key = '', value] = text.slice(0, colon).split('=', 2);
  return { key, ...(value === undefined ? {} : { value }), effect: text.slice(colon + 1) };
}
