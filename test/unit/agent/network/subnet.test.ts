import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { cniComponent, cniConfDir, cniConflist } from '../../../../src/agent/network/cni.ts';
import { flannelConfig, subnetOf } from '../../../../src/agent/network/subnet.ts';
import { pathsOf } from '../../../../src/shared/paths.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

test('the bridge has the first address of the node’s range', () => {
  expect(subnetOf('10.42.3.0/24', 'vxlan', 1500)).toEqual({ podCidr: '10.42.3.0/24', gateway: '10.42.3.1', mtu: 1450 });
  expect(subnetOf('10.42.3.128/25', 'host-gw', 1500).gateway).toBe('10.42.3.129');
});

test('packets leave room for what each backend puts around them', () => {
  const mtu = (backend: Parameters<typeof subnetOf>[1]) => subnetOf('10.42.0.0/24', backend, 9000).mtu;
  expect([mtu('vxlan'), mtu('host-gw'), mtu('wireguard-native')]).toEqual([8950, 9000, 8920]);
});

test('k3s’s backend names become flannel’s', () => {
  const type = (flannelBackend: 'vxlan' | 'host-gw' | 'wireguard-native') => {
    const settings = {
      clusterCidr: '10.42.0.0/16',
      serviceCidr: '',
      clusterDns: '',
      clusterDomain: '',
      flannelBackend,
    };
    return (JSON.parse(flannelConfig(settings)) as { Backend: { Type: string } }).Backend.Type;
  };
  expect([type('vxlan'), type('host-gw'), type('wireguard-native')]).toEqual(['vxlan', 'host-gw', 'wireguard']);
});

test('the conflist gives pods addresses of the node’s range and leaves masquerading to flanneld', () => {
  const subnet = subnetOf('10.42.3.0/24', 'vxlan', 1500);
  const conflist = JSON.parse(cniConflist(subnet, '/run/socket')) as { plugins: readonly Record<string, unknown>[] };
  expect(conflist.plugins[0]).toMatchObject({
    type: 'bridge',
    bridge: 'cni0',
    isDefaultGateway: true,
    ipMasq: false,
    hairpinMode: true,
    mtu: 1450,
    ipam: { type: 'host-local', ranges: [[{ subnet: '10.42.3.0/24', gateway: '10.42.3.1' }]] },
  });
  expect(conflist.plugins.map((plugin) => plugin['type'])).toEqual([
    'bridge',
    'network-policies',
    'portmap',
    'bandwidth',
  ]);
  expect(conflist.plugins[1]).toEqual({ type: 'network-policies', socket: '/run/socket' });
});

test('the configuration is not there before the node has its range', async () => {
  const paths = pathsOf(temporaryDir());
  const file = join(cniConfDir(paths, 'vxlan'), '10-kagent.conflist');
  mkdirSync(dirname(file), { recursive: true });
  const range = Promise.withResolvers<string>();
  const options = {
    paths,
    backend: 'vxlan',
    interfaceName: 'lo',
    policiesSocket: '/run/socket',
    podCidr: () => range.promise,
  } as const;
  const cni = cniComponent('cni', [], options);
  const started = cni.start(new AbortController().signal);
  expect(existsSync(file)).toBe(false);
  range.resolve('10.42.9.0/24');
  await started;
  expect(readFileSync(file, 'utf8')).toContain('10.42.9.0/24');
});
