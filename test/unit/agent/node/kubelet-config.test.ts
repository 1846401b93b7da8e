import { expect, test } from 'vitest';
import type { HostFacts } from '../../../../src/host/checks/checks.ts';
import { kubeletConfiguration, parseTaint } from '../../../../src/agent/node/kubelet-config.ts';

const facts: HostFacts = {
  hasSysResource: true,
  cgroupVersion: 'v2',
  cgroupDriver: 'systemd',
  systemdIsInit: true,
  logindWaits: true,
  resolvConfPath: '/run/systemd/resolve/resolv.conf',
  defaultInterface: 'eth0',
  nodeIp: '192.0.2.7',
  nodeName: 'a',
  conntrackWritable: true,
  iptablesFlavour: 'nft',
};

function configuration(
  changes: {
    readonly facts?: Partial<HostFacts>;
    readonly taints?: readonly string[];
    readonly isHardened?: boolean;
  } = {},
) {
  return kubeletConfiguration({
    facts: { ...facts, ...changes.facts },
    clusterDns: '10.43.0.10',
    clusterDomain: 'cluster.local',
    clientCaPath: '/pki/client-ca.crt',
    servingCertPath: '/pki/serving.crt',
    servingKeyPath: '/pki/serving.key',
    staticPodDir: '/pods',
    volumePluginDir: '/volume-plugins',
    containerdSocket: '/run/kagent/containerd/containerd.sock',
    protectKernelDefaults: false,
    isHardened: changes.isHardened ?? false,
    taints: changes.taints ?? [],
  });
}

test('nobody talks to the kubelet without a certificate and the API server’s word', () => {
  const { authentication, authorization, readOnlyPort } = configuration();
  expect(authentication.anonymous.enabled).toBe(false);
  expect(authentication.x509.clientCAFile).toBe('/pki/client-ca.crt');
  expect(authorization.mode).toBe('Webhook');
  expect(readOnlyPort).toBe(0);
});

test('a host on cgroup v1 without rights gets what works there', () => {
  const limited = configuration({ facts: { hasSysResource: false, cgroupDriver: 'cgroupfs' } });
  expect(limited).toMatchObject({ failCgroupV1: false, cgroupDriver: 'cgroupfs', oomScoreAdj: 0 });
  expect(configuration()).toMatchObject({ cgroupDriver: 'systemd', oomScoreAdj: -999 });
});

test('the kubelet ends pods before a shutdown where logind waits for it, and else is not asked to', () => {
  expect(configuration()).toMatchObject({ shutdownGracePeriod: '25s', shutdownGracePeriodCriticalPods: '8s' });
  expect(configuration({ facts: { logindWaits: false } })).not.toHaveProperty('shutdownGracePeriod');
});

test('taints are registered only when there are any', () => {
  expect(configuration()).not.toHaveProperty('registerWithTaints');
  expect(configuration({ taints: ['a.b/c=d:NoSchedule'] })).toMatchObject({
    registerWithTaints: [{ key: 'a.b/c', value: 'd', effect: 'NoSchedule' }],
  });
  expect(parseTaint('a:NoExecute')).toEqual({ key: 'a', effect: 'NoExecute' });
});

test('the kubelet takes strong ciphers alone; limits that could break a pod come with --profile cis', () => {
  expect(configuration()).toMatchObject({ tlsMinVersion: 'VersionTLS12' });
  expect(configuration().tlsCipherSuites.filter((name) => !/^TLS_ECDHE_.*(GCM|CHACHA20)/.test(name))).toEqual([]);
  expect(configuration()).not.toHaveProperty('podPidsLimit');
  expect(configuration({ isHardened: true })).toMatchObject({ podPidsLimit: 4096, seccompDefault: true });
});
