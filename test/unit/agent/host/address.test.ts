import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, test } from 'vitest';
import { defaultInterface, nodeAddress, nodeName } from '../../../../src/agent/host/address.ts';
import { fakeRoot } from './fake-root.ts';

const header = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const defaultRoute = (name: string, metric: number) =>
  `${name}\t00000000\t0102A8C0\t0003\t0\t0\t${metric}\t00000000\t0\t0\t0\n`;
const localRoute = 'eth9\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n';

function ipv4(address: string): NetworkInterfaceInfo {
  return { address, netmask: '255.255.255.0', family: 'IPv4', mac: '', internal: false, cidr: `${address}/24` };
}

test('of several default routes the one with the lowest metric counts', () => {
  const routes = header + localRoute + defaultRoute('wlan0', 600) + defaultRoute('eth0', 100);
  expect(defaultInterface(routes)).toBe('eth0');
  expect(defaultInterface(header + localRoute)).toBeUndefined();
});

describe('the address of a node', () => {
  const interfaces = { lo: [], eth0: [ipv4('192.0.2.7')], eth1: [ipv4('198.51.100.7')] };
  const noRoute = fakeRoute(header);

  function fakeRoute(routes: string) {
    return { '/proc/net/route': routes };
  }

  test('is that of the default route', async () => {
    const root = fakeRoot(fakeRoute(header + defaultRoute('eth1', 0)));
    const found = await nodeAddress({}, root, interfaces);
    expect(found).toEqual({ nodeIp: '198.51.100.7', defaultInterface: 'eth1' });
  });
  test('is as told, and its interface is found', async () => {
    const found = await nodeAddress({ nodeIp: '192.0.2.7' }, fakeRoot(noRoute), interfaces);
    expect(found.defaultInterface).toBe('eth0');
  });
  test('is the only one there is where no route leads out', async () => {
    const found = await nodeAddress({}, fakeRoot(noRoute), { eth0: [ipv4('192.0.2.7')] });
    expect(found.nodeIp).toBe('192.0.2.7');
  });
  test('is not guessed among several', async () => {
    await expect(nodeAddress({}, fakeRoot(noRoute), interfaces)).rejects.toThrow(
      'more than one address: 192.0.2.7 (eth0), 198.51.100.7 (eth1); set --node-ip',
    );
  });
  test('must be one this box has', async () => {
    await expect(nodeAddress({ nodeIp: '203.0.113.1' }, fakeRoot(noRoute), interfaces)).rejects.toThrow(
      'no interface of this box has 203.0.113.1',
    );
    await expect(nodeAddress({ nodeIp: 'eth0' }, fakeRoot(noRoute), interfaces)).rejects.toThrow(
      '"eth0" is not an IPv4 address',
    );
  });
});

test('a host name in capitals becomes a node name; one told must be right', () => {
  expect(nodeName(undefined, 'Raspberry-Pi')).toBe('raspberry-pi');
  expect(nodeName('a.b-c', 'x')).toBe('a.b-c');
  expect(() => nodeName('Big', 'x')).toThrow('the node name "Big" is not one Kubernetes takes');
  expect(() => nodeName(undefined, 'my_box')).toThrow('"my_box"');
  expect(() => nodeName('-a', 'x')).toThrow('"-a"');
});
