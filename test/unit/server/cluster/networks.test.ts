import { expect, test } from 'vitest';
import { checkNetworks, clusterDnsOf, nodeCidrMaskSize } from '../../../../src/server/cluster/networks.ts';

const plan = { clusterCidr: '10.42.0.0/16', serviceCidr: '10.43.0.0/16', clusterDns: undefined, nodeIp: '192.168.1.5' };

test('the ranges of every tutorial are fine, and DNS is the tenth Service address', () => {
  expect(() => checkNetworks(plan)).not.toThrow();
  expect(clusterDnsOf(plan)).toBe('10.43.0.10');
});

test.each([
  [
    'ranges that overlap',
    { serviceCidr: '10.42.128.0/17' },
    /10\.42\.0\.0\/16 and service-cidr 10\.42\.128\.0\/17 overlap/,
  ],
  ['a range for pods that no node fits in', { clusterCidr: '10.42.0.0/25' }, /10\.42\.0\.0\/25 is too small/],
  ['a range for Services with no room', { serviceCidr: '10.43.0.0/30' }, /10\.43\.0\.0\/30 is too small/],
  ['a DNS address outside', { clusterDns: '10.96.0.10' }, /cluster-dns 10\.96\.0\.10 is not in service-cidr/],
  [
    "a range that holds the node's address",
    { nodeIp: '10.42.7.1' },
    /cluster-cidr 10\.42\.0\.0\/16 holds this node's own address 10\.42\.7\.1/,
  ],
])('%s: refused with the value', (_what, change, message) => {
  expect(() => checkNetworks({ ...plan, ...change })).toThrow(message);
});

test('how large a range each node takes is what kube-controller-manager is told', () => {
  expect(nodeCidrMaskSize({})).toBe(24);
  const kubeControllerManagerArg = ['node-cidr-mask-size=26', 'v=4', '--node-cidr-mask-size-ipv4=25'];
  expect(nodeCidrMaskSize({ kubeControllerManagerArg })).toBe(25);
});
