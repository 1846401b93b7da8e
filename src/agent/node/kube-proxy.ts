import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { commandLine, flagsOf, processWideFlag, valueOf } from '../../shared/arguments/arguments.ts';
import type { Flag, Flags } from '../../shared/arguments/arguments.ts';
import { listeningAt } from '../../shared/listen/listen.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Paths } from '../../shared/paths.ts';
import { childEnvironment, processComponent } from '../../host/process/process.ts';
import type { Supervisor } from '../../host/process/process.ts';
import type { ClusterSettings } from '../../shared/protocol/join.ts';
import type { HostFacts } from '../../host/checks/checks.ts';
import { kubeProxyRules } from './argument-rules.ts';
import { healthz, staysHealthy } from './healthz.ts';
import type { Asked } from './healthz.ts';
import { processOf } from './node-process.ts';
import { guardLoopback } from './loopback-guard.ts';
import type { ComponentName } from '../../shared/component/component.ts';

export interface KubeProxyOptions {
  readonly after: readonly ComponentName[];
  readonly supervisor: Supervisor;
  readonly paths: Paths;
  readonly facts: HostFacts;
  readonly settings: ClusterSettings;
  readonly binDir: string;
  readonly kubeconfigPath: string;
  /** What it reaches without a proxy, as `NO_PROXY` has it. */
  readonly direct: readonly string[];
  /** `--kube-proxy-arg`; they win. */
  readonly extraArgs: readonly string[];
  readonly log: Log;
}

const healthzPort = '10256';

/** kube-proxy; ready when its first rules are in place: until then its healthz says 503. */
export function kubeProxyComponent(options: KubeProxyOptions) {
  const { binDir, direct } = options;
  const theirs = flagsOf(options.extraArgs);
  return processComponent({
    name: 'kube-proxy',
    after: options.after,
    supervisor: options.supervisor,
    specify: async () => {
      rmSync(join(options.paths.agent.etc, 'kube-proxy.json'), { force: true }); // of a kagent that wrote one
      const args = commandLine(kubeProxyFlags(options), theirs, kubeProxyRules);
      const process = processOf('kube-proxy', processWideFlag(theirs), options.log);
      const env = childEnvironment(process.name, { path: binDir, direct });
      await guardLoopback({ path: env['PATH'] ?? '', log: options.log });
      const healthAt = kubeProxyHealthz(flagsOf(args));
      return {
        ...process.spec,
        command: join(binDir, 'kube-proxy'),
        args,
        env,
        ready: (signal) => healthz(healthAt, signal, { withinMs: 2000 }),
        // Its /healthz complains of a node that is to be deleted, too.
        live: staysHealthy(healthAt, '/livez'),
        stopTimeoutMs: 5000,
        backoff: { minMs: 200, maxMs: 10_000, stableAfterMs: 10_000 },
      };
    },
  });
}

/**
 * Flags and no configuration file: beside one kube-proxy overlooks its flags, and the operator's would do nothing.
 * @see Kubernetes v1.37 cmd/kube-proxy/app/options.go
 */
export function kubeProxyFlags(options: Pick<KubeProxyOptions, 'facts' | 'settings' | 'kubeconfigPath'>): Flags {
  const { facts, settings, kubeconfigPath } = options;
  return {
    kubeconfig: kubeconfigPath,
    'hostname-override': facts.nodeName,
    'cluster-cidr': settings.clusterCidr,
    'proxy-mode': 'iptables',
    'iptables-localhost-nodeports': 'true',
    // A change is programmed at once, a burst of them at most every half second.
    'iptables-min-sync-period': '500ms',
    'iptables-sync-period': '30s',
    // Outside the first network namespace the limit is read-only, and kube-proxy ends when it cannot raise it.
    ...(facts.conntrackWritable ? {} : { 'conntrack-max-per-core': '0', 'conntrack-min': '0' }),
    'oom-score-adj': facts.hasSysResource ? '-999' : '0',
    'healthz-bind-address': `127.0.0.1:${healthzPort}`,
    'metrics-bind-address': '127.0.0.1:10249',
  };
}

/** Where it says that it is healthy. An address without a port has that of the deprecated flag. */
export function kubeProxyHealthz(flags: readonly Flag[]): Asked {
  const text = valueOf(flags, 'healthz-bind-address') ?? '';
  const [, inBrackets, plain, port] = /^(?:\[(.*)\]|([^:]*)):(\d+)$/.exec(text) ?? [];
  const host = inBrackets ?? plain ?? text.replace(/^\[|\]$/g, '');
  return { host: listeningAt(host), port: Number(port ?? valueOf(flags, 'healthz-port') ?? healthzPort) };
}
