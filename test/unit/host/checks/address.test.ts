import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, test } from 'vitest';
import { hostAddresses, nodeAddress, nodeName } from '../../../../src/host/checks/address.ts';
import { fakeRoot } from './fake-root.ts';

const header = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const routes = (...rows: readonly string[]) => ({ '/proc/net/route': header + rows.join('') });
/** @param gateway as the kernel prints it */
const out = (name: string, metric = 0, gateway = '0102A8C0') =>
  `${name}\t00000000\t${gateway}\t0003\t0\t0\t${metric}\t00000000\t0\t0\t0\n`;
const userNetwork = '0202000A'; // 10.0.2.2

function ipv4(address: string): NetworkInterfaceInfo {
  return { address, netmask: '255.255.255.0', family: 'IPv4', mac: '', internal: false, cidr: `${address}/24` };
}

/** A pair of network cards in sysfs. */
const cards = { '/sys/class/net/eth0/device/': '', '/sys/class/net/eth1/device/': '' };
const twoCards = { lo: [], eth0: [ipv4('192.0.2.7')], eth1: [ipv4('198.51.100.7')] };
const nowhere = () => Promise.reject(new Error('ENETUNREACH'));
const from = (address: string) => () => Promise.resolve(address);

describe('the address of a server', () => {
  test('is that of the default route', async () => {
    const root = fakeRoot({ ...cards, ...routes(out('eth1')) });
    expect(await nodeAddress({}, root, twoCards)).toEqual({ nodeIp: '198.51.100.7', defaultInterface: 'eth1' });
  });
  test('is as told, and its interface is found', async () => {
    const found = await nodeAddress({ nodeIp: '192.0.2.7' }, fakeRoot(routes()), twoCards);
    expect(found.defaultInterface).toBe('eth0');
  });
  test('and the interface of flannel can be told apart from it', async () => {
    const found = await nodeAddress({ nodeIp: '192.0.2.7', interfaceName: 'eth1' }, fakeRoot(routes()), twoCards);
    expect(found).toEqual({ nodeIp: '192.0.2.7', defaultInterface: 'eth1', flannelIp: '198.51.100.7' });
  });
  test('is the one it has had, also when the default route has moved', async () => {
    const root = fakeRoot({ ...cards, ...routes(out('eth1', 50), out('eth0', 100)) });
    const had = (kept: string) => nodeAddress({ kept }, root, twoCards);
    expect((await had('192.0.2.7')).nodeIp).toBe('192.0.2.7');
    expect((await had('192.0.2.99')).nodeIp).toBe('198.51.100.7');
  });
  test('is the only one there is where no route leads out', async () => {
    const found = await nodeAddress({}, fakeRoot(routes()), { eth0: [ipv4('192.0.2.7')] });
    expect(found.nodeIp).toBe('192.0.2.7');
  });
  test('is none of kagent itself, nor of other container programs', async () => {
    const interfaces = {
      eth0: [ipv4('192.0.2.7')],
      cni0: [ipv4('10.42.0.1')],
      'flannel.1': [ipv4('10.42.0.0')],
      docker0: [ipv4('172.17.0.1')],
      'br-0123456789ab': [ipv4('172.18.0.1')],
    };
    expect((await nodeAddress({}, fakeRoot(routes()), interfaces)).nodeIp).toBe('192.0.2.7');
    expect((await nodeAddress({ kept: '172.17.0.1' }, fakeRoot(routes()), interfaces)).nodeIp).toBe('192.0.2.7');
  });
  test('is not guessed among several cards', async () => {
    await expect(nodeAddress({}, fakeRoot(routes()), twoCards)).rejects.toThrow(
      'more than one address: 192.0.2.7 (eth0), 198.51.100.7 (eth1); set --node-ip',
    );
  });
  test('is not that of a user network, which every machine has, unless there is no other card', async () => {
    const root = fakeRoot({ ...cards, ...routes(out('eth0', 0, userNetwork)) });
    const interfaces = { eth0: [ipv4('10.0.2.15')], eth1: [ipv4('192.168.56.11')] };
    expect(await nodeAddress({}, root, interfaces)).toEqual({ nodeIp: '192.168.56.11', defaultInterface: 'eth1' });
    expect((await nodeAddress({ kept: '10.0.2.15' }, root, interfaces)).nodeIp).toBe('192.168.56.11');
    const alone = { eth0: interfaces.eth0, docker0: [ipv4('172.17.0.1')] };
    expect((await nodeAddress({}, root, alone)).nodeIp).toBe('10.0.2.15');
  });
  test('must be one this host has', async () => {
    const refused = (nodeIp: string) => nodeAddress({ nodeIp }, fakeRoot(routes()), twoCards);
    await expect(refused('203.0.113.1')).rejects.toThrow('no interface of this box has 203.0.113.1');
    await expect(refused('eth0')).rejects.toThrow('"eth0" is not an IPv4 address');
  });
});

describe('the address of an agent', () => {
  const root = () => fakeRoot({ ...cards, ...routes(out('eth0')) });
  const agent = (kept: string | undefined, serverIp: string, source: () => Promise<string>) =>
    nodeAddress({ kept, serverIp }, root(), twoCards, source);

  test('is the one by which it reaches the server', async () => {
    expect((await agent(undefined, '203.0.113.1', from('198.51.100.7'))).nodeIp).toBe('198.51.100.7');
  });
  test('moves to the card that is on the network of the server, and to no other', async () => {
    expect((await agent('192.0.2.7', '198.51.100.1', from('198.51.100.7'))).nodeIp).toBe('198.51.100.7');
    expect((await agent('192.0.2.7', '203.0.113.1', from('198.51.100.7'))).nodeIp).toBe('192.0.2.7');
    expect((await agent('192.0.2.7', '192.0.2.1', from('198.51.100.7'))).nodeIp).toBe('192.0.2.7');
  });
  test('is that of the default route where the server is not reached by any', async () => {
    expect((await agent(undefined, '203.0.113.1', nowhere)).nodeIp).toBe('192.0.2.7');
    expect((await agent(undefined, '127.0.0.1', from('127.0.0.1'))).nodeIp).toBe('192.0.2.7');
  });
});

test('every address of the host is listed but those of containers', () => {
  const interfaces = { ...twoCards, cni0: [ipv4('10.42.0.1')], tun0: [ipv4('10.8.0.2')] };
  const found = hostAddresses(fakeRoot({ ...routes(out('eth0')), '/sys/class/net/tun0/tun_flags': '0x1' }), interfaces);
  expect(found.map(({ nodeIp }) => nodeIp)).toEqual(['192.0.2.7', '198.51.100.7', '10.8.0.2']);
});

test('a host name in capitals becomes a node name; one told must be right', () => {
  expect(nodeName(undefined, 'Raspberry-Pi')).toBe('raspberry-pi');
  expect(nodeName('a.b-c', 'x')).toBe('a.b-c');
  expect(() => nodeName('Big', 'x')).toThrow('the node name "Big" is not one Kubernetes takes');
  expect(() => nodeName(undefined, 'my_box')).toThrow('"my_box"');
  expect(() => nodeName('-a', 'x')).toThrow('"-a"');
  expect(nodeName(undefined, 'n'.repeat(63))).toBe('n'.repeat(63));
  expect(() => nodeName(undefined, 'n'.repeat(64))).toThrow(
    /at most 63 lower-case letters, .*; it has 64\); set --node-name/,
  );
});
