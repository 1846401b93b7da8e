import { join } from 'node:path';
import { writeFileIfChanged } from '../../shared/files/files.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Paths } from '../../shared/paths.ts';
import { childEnvironment } from '../../shared/process/process.ts';
import { processComponent, type Supervisor } from '../../shared/process/process.ts';
import type { ClusterSettings } from '../../shared/protocol/join.ts';
import type { HostFacts } from '../host/host.ts';
import { healthz } from './healthz.ts';
import { guardLoopback } from './loopback-guard.ts';

export interface KubeProxyOptions {
  readonly after: readonly string[];
  readonly supervisor: Supervisor;
  readonly paths: Paths;
  readonly facts: HostFacts;
  readonly settings: ClusterSettings;
  readonly binDir: string;
  readonly kubeconfigPath: string;
  /** `--kube-proxy-arg`, each without its dashes. */
  readonly extraArgs: readonly string[];
  readonly log: Log;
}

const healthzPort = 10_256;

/** kube-proxy; ready when its first rules are in place: until then its healthz says 503. */
export function kubeProxyComponent(options: KubeProxyOptions) {
  const { binDir, facts, settings } = options;
  const configPath = join(options.paths.agent.etc, 'kube-proxy.json');
  return processComponent({
    name: 'kube-proxy',
    after: options.after,
    supervisor: options.supervisor,
    specify: async () => {
      const configuration = kubeProxyConfiguration({ facts, settings, kubeconfigPath: options.kubeconfigPath });
      writeFileIfChanged(configPath, JSON.stringify(configuration, null, 2), 0o600);
      const env = childEnvironment('kube-proxy', { path: binDir });
      await guardLoopback({ path: env['PATH'] ?? '', log: options.log });
      return {
        command: join(binDir, 'kube-proxy'),
        args: [`--config=${configPath}`, ...options.extraArgs.map((arg) => `--${arg}`)],
        env,
        ready: (signal) => healthz(healthzPort, signal, { withinMs: 2000 }),
        // Its /healthz complains of a node that is to be deleted, too.
        live: (signal) => healthz(healthzPort, signal, { path: '/livez' }),
        stopTimeoutMs: 5000,
        backoff: { minMs: 200, maxMs: 10_000, stableAfterMs: 10_000 },
      };
    },
  });
}

/** @see k8s.io/kube-proxy v0.37.1 config/v1alpha1 KubeProxyConfiguration */
export function kubeProxyConfiguration(options: {
  readonly facts: HostFacts;
  readonly settings: ClusterSettings;
  readonly kubeconfigPath: string;
}) {
  const { facts, settings, kubeconfigPath } = options;
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: kubeconfigPath },
    hostnameOverride: facts.nodeName,
    clusterCIDR: settings.clusterCidr,
    mode: 'iptables',
    // A change is programmed at once, a burst of them at most every half second.
    iptables: { localhostNodePorts: true, minSyncPeriod: '500ms', syncPeriod: '30s' },
    // Outside the first network namespace the limit is read-only, and kube-proxy ends when it cannot raise it.
    ...(facts.conntrackWritable ? {} : { conntrack: { maxPerCore: 0, min: 0 } }),
    oomScoreAdj: facts.hasSysResource ? -999 : 0,
    healthzBindAddress: `127.0.0.1:${healthzPort}`,
    metricsBindAddress: '127.0.0.1:10249',
  };
}
