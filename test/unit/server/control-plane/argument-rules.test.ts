import { expect, test } from 'vitest';
import { argumentRules } from '../../../../src/server/control-plane/control-plane.ts';
import { commandLine, flagsOf } from '../../../../src/shared/arguments/arguments.ts';

const line = (program: keyof typeof argumentRules, ours: Record<string, string>, ...args: readonly string[]) =>
  commandLine(ours, flagsOf(args), argumentRules[program]);

test('another admission plugin does not take NodeRestriction away', () => {
  const ours = { 'enable-admission-plugins': 'NodeRestriction' };
  expect(
    line('kube-apiserver', ours, 'enable-admission-plugins=A,NodeRestriction', 'enable-admission-plugins=B'),
  ).toEqual(['--enable-admission-plugins=NodeRestriction,A,B']);
});

test('tokens are issued under the operator’s issuer, and those of kagent’s stay good', () => {
  const ours = {
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': '/kagent.key',
  };
  expect(line('kube-apiserver', ours, 'service-account-issuer=https://a', 'service-account-key-file=/b')).toEqual([
    '--service-account-issuer=https://a',
    '--service-account-issuer=https://kubernetes.default.svc',
    '--service-account-key-file=/kagent.key',
    '--service-account-key-file=/b',
  ]);
});

test('a signer elsewhere, one certificate for all signers and a mask of IPv4 stand alone, as their programs want it', () => {
  const keys = { 'service-account-key-file': '/k', 'service-account-signing-key-file': '/k' };
  expect(line('kube-apiserver', keys, 'service-account-signing-endpoint=/s')).toEqual([
    '--service-account-signing-endpoint=/s',
  ]);
  const signing = { 'cluster-signing-kubelet-client-cert-file': '/c', 'cluster-signing-legacy-unknown-key-file': '/k' };
  const one = ['cluster-signing-cert-file=/a', 'cluster-signing-key-file=/b'];
  expect(line('kube-controller-manager', signing, ...one)).toEqual(one.map((arg) => `--${arg}`));
  expect(line('kube-controller-manager', { 'node-cidr-mask-size': '24' }, 'node-cidr-mask-size-ipv4=25')).toEqual([
    '--node-cidr-mask-size-ipv4=25',
  ]);
});

test('a controller that cannot run here stays off unless it is named', () => {
  const ours = { controllers: '*,-storageversion-garbage-collector-controller' };
  const of = (...values: readonly string[]) =>
    line('kube-controller-manager', ours, ...values.map((value) => `controllers=${value}`));
  expect(of('*,-ttl-controller')).toEqual([
    '--controllers=*,-ttl-controller,-storageversion-garbage-collector-controller',
  ]);
  expect(of('a', 'storageversion-garbage-collector-controller')).toEqual([
    '--controllers=a,storageversion-garbage-collector-controller',
  ]);
});
