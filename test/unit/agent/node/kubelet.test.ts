import { expect, test } from 'vitest';
import { kubeletRules } from '../../../../src/agent/node/node.ts';
import { kubeletFlags } from '../../../../src/agent/node/kubelet.ts';
import { commandLine, flagsOf } from '../../../../src/shared/arguments/arguments.ts';
import { pathsOf } from '../../../../src/shared/paths.ts';

function line(...args: readonly string[]): readonly string[] {
  const ours = kubeletFlags({
    paths: pathsOf('/data'),
    facts: { nodeName: 'a1', nodeIp: '10.0.0.7' } as Parameters<typeof kubeletFlags>[0]['facts'],
    kubeconfigPath: '/kubeconfig',
    labels: ['own=1', 'two=2'],
    taints: ['own=1:NoSchedule'],
    extraArgs: args,
    addressesComeFromServer: false,
    credentialProvider: { binDir: undefined, config: undefined },
  });
  return commandLine(ours, flagsOf(args), kubeletRules);
}

test('labels of the operator’s flag are added to those of node-label, and so are taints', () => {
  expect(line().filter((arg) => /labels|taints/.test(arg))).toEqual(['--node-labels=own=1,two=2']);
  const both = line('node-labels=three=3', 'register-with-taints=a=b:NoExecute,c:NoSchedule');
  expect(both.filter((arg) => /labels|taints/.test(arg))).toEqual([
    '--node-labels=own=1,two=2',
    '--node-labels=three=3',
    '--register-with-taints=own=1:NoSchedule,a=b:NoExecute,c:NoSchedule',
  ]);
});

test('a flag given with dashes or underscores takes the place of kagent’s, once', () => {
  expect(line('--cert_dir=/certs').filter((arg) => arg.includes('cert'))).toEqual(['--cert-dir=/certs']);
});
