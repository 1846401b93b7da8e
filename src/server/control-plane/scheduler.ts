import type { Component } from '../../shared/component/component.ts';
import type { ProgramOptions } from './control-plane.ts';
import { programComponent } from './program.ts';
import { answers, answersOk } from './readiness.ts';

const name = 'kube-scheduler';

export function schedulerComponent(options: ProgramOptions): Component {
  const { supervisor, binDir, extraArgs, pki, leaves, ports } = options;
  const account = options.accounts[name];
  const kubeconfig = options.kubeconfigs[name];
  return programComponent({
    name,
    after: ['kube-apiserver'],
    supervisor,
    binDir,
    flags: {
      kubeconfig,
      'authentication-kubeconfig': kubeconfig,
      'authorization-kubeconfig': kubeconfig,
      'bind-address': '127.0.0.1',
      'secure-port': String(ports.scheduler),
      'tls-cert-file': account.give(leaves.schedulerServing.certFile),
      'tls-private-key-file': account.give(leaves.schedulerServing.keyFile),
      'tls-min-version': 'VersionTLS12',
      'leader-elect': 'false',
      profiling: 'false',
    },
    extraArgs: extraArgs.scheduler,
    account,
    ready: answersOk(`https://127.0.0.1:${ports.scheduler}/readyz`, pki.serverCa.caPem),
    live: answers(`https://127.0.0.1:${ports.scheduler}/readyz`, pki.serverCa.caPem),
    stopTimeoutMs: 10_000,
  });
}
