import { join } from 'node:path';
import { checkArguments, flagsOf } from '../../shared/arguments/arguments.ts';
import type { Component } from '../../shared/component/component.ts';
import { apiserverStopTimeoutMs } from './apiserver.ts';
import { argumentRules } from './argument-rules.ts';
import type { ProgramOptions } from './types.ts';
import { askedHere, programComponent } from './program.ts';
import { schedulerArguments } from './scheduler-config.ts';

const name = 'kube-scheduler';
const rules = argumentRules[name];

/** @throws {ComponentArgumentError} */
export function schedulerComponent(options: ProgramOptions): Component {
  const { supervisor, binDir, extraArgs, pki, leaves, paths, ports, direct } = options;
  const account = options.accounts[name];
  const kubeconfig = options.kubeconfigs[name];
  const flags = {
    kubeconfig,
    'authentication-kubeconfig': kubeconfig,
    'authorization-kubeconfig': kubeconfig,
    'bind-address': '127.0.0.1',
    'secure-port': String(ports.scheduler),
    'tls-cert-file': account.give(leaves.schedulerServing.certFile),
    'tls-private-key-file': account.give(leaves.schedulerServing.keyFile),
    'tls-min-version': 'VersionTLS12',
    ...options.programFlags.scheduler,
    profiling: 'false',
  };
  checkArguments({ setting: 'kube-scheduler-arg', args: extraArgs.scheduler, rules, ours: flags });
  const { ours, theirs } = schedulerArguments(flags, flagsOf(extraArgs.scheduler), {
    path: join(paths.server.etc, 'scheduler.json'),
    give: account.give,
  });
  return programComponent({
    name,
    after: ['kube-apiserver'],
    supervisor,
    binDir,
    flags: ours,
    theirs,
    rules,
    direct,
    account,
    question: askedHere('/readyz', pki.serverCa.trust),
    stopTimeoutMs: account.isShared ? apiserverStopTimeoutMs(options) : 10_000,
  });
}
