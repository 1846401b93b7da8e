import type { Component } from '../../shared/component/component.ts';
import { runPaths } from '../../shared/paths.ts';
import { metricsServer } from '../cluster/cluster.ts';
import { aggregatorUser } from './certificates.ts';
import { askedHere, programComponent } from './program.ts';
import type { ProgramOptions } from './types.ts';

const name = 'metrics-server';

/**
 * Kubernetes' metrics-server, kube-apiserver's user on this host: it reaches kubelets through the same tunnel. Last, so that a
 * start does not wait for its share of the processors; it needs two looks at the nodes before it has figures anyway.
 */
export function metricsServerComponent(options: ProgramOptions): Component {
  const { supervisor, binDir, pki, leaves, direct, kubeconfigs } = options;
  const account = options.accounts['kube-apiserver'];
  const kubeconfig = kubeconfigs[name];
  return programComponent({
    name,
    after: ['kube-controller-manager', 'kube-scheduler', ...(options.lastAfter ?? [])],
    supervisor,
    binDir,
    flags: {
      kubeconfig,
      'authentication-kubeconfig': kubeconfig,
      'authorization-kubeconfig': kubeconfig,
      'authentication-skip-lookup': 'true',
      'client-ca-file': account.give(pki.clientCa.certFile),
      'requestheader-client-ca-file': account.give(pki.requestHeaderCa.certFile),
      'requestheader-allowed-names': aggregatorUser,
      'bind-address': '127.0.0.1',
      'secure-port': String(metricsServer.port),
      'tls-cert-file': account.give(leaves.metricsServerServing.certFile),
      'tls-private-key-file': account.give(leaves.metricsServerServing.keyFile),
      'tls-min-version': 'VersionTLS12',
      'kubelet-certificate-authority': account.give(pki.kubeletCa.certFile),
      'kubelet-preferred-address-types': 'InternalIP,ExternalIP,Hostname',
      'kubelet-use-node-status-port': 'true',
      'metric-resolution': '15s',
      'egress-socket': runPaths.egressSocket,
      profiling: 'false',
    },
    theirs: [],
    rules: {},
    direct,
    account,
    // /readyz waits for the first figures, which no start should.
    question: askedHere('/livez', pki.serverCa.trust),
    stopTimeoutMs: 10_000,
  });
}
