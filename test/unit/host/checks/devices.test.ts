import { expect, test } from 'vitest';
import { deviceKind } from '../../../../src/host/checks/devices.ts';
import { fakeRoot } from './fake-root.ts';

const sysfs = (name: string, files: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(files).map(([file, text]) => [`/sys/class/net/${name}/${file}`, text]));
const kindOf = (name: string, files: Readonly<Record<string, string>>) =>
  deviceKind(name, fakeRoot(sysfs(name, files)));
const ethernet = { type: '1\n', ifindex: '4\n', iflink: '4\n', uevent: 'INTERFACE=x\n' };

test('what has hardware is a card, and so is what stands on one', () => {
  expect(kindOf('enp1s0', { ...ethernet, 'device/': '' })).toBe('card');
  expect(kindOf('bond7', { ...ethernet, 'bonding/': '' })).toBe('card');
  expect(kindOf('lan.7', { ...ethernet, iflink: '2\n' })).toBe('card');
});

test('a container’s own end of a veth is its card; the other end hangs on a bridge', () => {
  expect(kindOf('eth0', { ...ethernet, iflink: '9\n' })).toBe('card');
  expect(kindOf('pair7', { ...ethernet, iflink: '9\n', 'master/bridge/': '' })).toBe('internal');
});

test('a bridge is a card if one is in it, and internal with none but containers', () => {
  const port = (files: Readonly<Record<string, string>>) => sysfs('port0', files);
  const bridge = sysfs('vmbr0', { ...ethernet, 'bridge/': '', 'brif/port0/': '' });
  expect(deviceKind('vmbr0', fakeRoot({ ...bridge, ...port({ 'device/': '' }) }))).toBe('card');
  expect(deviceKind('vmbr0', fakeRoot({ ...bridge, ...port(ethernet) }))).toBe('internal');
});

test('tunnels of VPNs and bare devices are neither', () => {
  expect(kindOf('tailscale0', { ...ethernet, type: '65534\n', tun_flags: '0x1001\n' })).toBe('other');
  expect(kindOf('wg0', { ...ethernet, type: '65534\n', uevent: 'DEVTYPE=wireguard\n' })).toBe('other');
  expect(kindOf('anycast', ethernet)).toBe('other');
});

test.each(['lo', 'cni0', 'flannel.1', 'flannel-wg', 'kube-bridge', 'kube-ipvs0', 'vethab12', 'docker0', 'virbr0'])(
  '%s is internal by its name',
  (name) => expect(kindOf(name, { ...ethernet, 'device/': '' })).toBe('internal'),
);

test('a VXLAN of another program is internal whatever its name', () => {
  expect(kindOf('overlay7', { ...ethernet, uevent: 'DEVTYPE=vxlan\n' })).toBe('internal');
});
