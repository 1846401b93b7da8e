import { checkArguments, flagsOf } from '../../shared/arguments/arguments.ts';
import type { Flags } from '../../shared/arguments/arguments.ts';
import type { Component } from '../../shared/component/component.ts';
import { apiserverStopTimeoutMs } from './apiserver.ts';
import { argumentRules } from './argument-rules.ts';
import type { ProgramOptions } from './types.ts';
import { askedHere, programComponent } from './program.ts';

const name = 'kube-controller-manager';
const rules = argumentRules[name];

/** @throws {ComponentArgumentError} */
export function controllerManagerComponent(options: ProgramOptions): Component {
  const { supervisor, binDir, extraArgs, pki, direct } = options;
  const flags = controllerManagerFlags(options);
  checkArguments({ setting: 'kube-controller-manager-arg', args: extraArgs.controllerManager, rules, ours: flags });
  return programComponent({
    name,
    after: ['kube-apiserver'],
    supervisor,
    binDir,
    flags,
    theirs: flagsOf(extraArgs.controllerManager),
    rules,
    direct,
    account: options.accounts[name],
    question: askedHere('/healthz', pki.serverCa.trust),
    stopTimeoutMs: options.accounts[name].isShared ? apiserverStopTimeoutMs(options) : 10_000,
  });
}

function controllerManagerFlags(options: ProgramOptions): Flags {
  const { pki, leaves, paths, ports } = options;
  const { give } = options.accounts[name];
  const kubeconfig = options.kubeconfigs[name];
  const { clientCa, kubeletCa } = pki;
  return {
    kubeconfig,
    'authentication-kubeconfig': kubeconfig,
    'authorization-kubeconfig': kubeconfig,
    'bind-address': '127.0.0.1',
    'secure-port': String(ports.controllerManager),
    'tls-cert-file': give(leaves.controllerManagerServing.certFile),
    'tls-private-key-file': give(leaves.controllerManagerServing.keyFile),
    'tls-min-version': 'VersionTLS12',
    ...options.programFlags.controllerManager,
    profiling: 'false',
    'use-service-account-credentials': 'true',
    // Each of forty controllers asks for a token as it starts: at the default of 20 a second that takes 5 s, and nodes
    // wait for the one that gives them their pod range.
    'kube-api-qps': '500',
    'kube-api-burst': '1000',

    'allocate-node-cidrs': 'true',
    'cluster-cidr': options.clusterCidr,
    'node-cidr-mask-size': String(options.nodeCidrMaskSize),
    'service-cluster-ip-range': options.serviceCidr,

    'service-account-private-key-file': give(pki.serviceAccountKeyFile),
    'flex-volume-plugin-dir': paths.agent.volumePlugins,

    'root-ca-file': give(pki.serverCa.certFile),
    'cluster-signing-kube-apiserver-client-cert-file': give(clientCa.certFile),
    'cluster-signing-kube-apiserver-client-key-file': give(clientCa.keyFile),
    'cluster-signing-kubelet-client-cert-file': give(clientCa.certFile),
    'cluster-signing-kubelet-client-key-file': give(clientCa.keyFile),
    'cluster-signing-kubelet-serving-cert-file': give(kubeletCa.certFile),
    'cluster-signing-kubelet-serving-key-file': give(kubeletCa.keyFile),
    'cluster-signing-legacy-unknown-cert-file': give(clientCa.certFile),
    'cluster-signing-legacy-unknown-key-file': give(clientCa.keyFile),
  };
}
