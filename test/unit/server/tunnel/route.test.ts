import { expect, test } from 'vitest';
import { routeTo, targetOf } from '../../../../src/server/tunnel/route.ts';

const nodes = [
  { metadata: { name: 'a' }, spec: { podCIDRs: ['10.42.0.0/24', 'fd00::/64'] } },
  { metadata: { name: 'b' }, spec: { podCIDRs: ['10.42.1.0/24'] } },
  // What a Node says of its addresses is not asked: this one wants the traffic of `a`.
  { metadata: { name: '0' }, status: { addresses: [{ address: '10.0.0.1' }, { address: 'a' }] } },
];
const decided = new Map([
  ['a', ['10.0.0.1', 'fd00:1::1']],
  ['b', ['10.42.0.77']],
]);
const addresses = {
  of: (name: string) => (decided.has(name) ? { internalIps: decided.get(name) ?? [] } : undefined),
  owner: (address: string) => [...decided].find(([, ips]) => ips.includes(address))?.[0],
};

test.each([
  ['10.0.0.1', 'a', '10.0.0.1'],
  ['a', 'a', '10.0.0.1'], // a kubelet, by its node's name
  ['fd00:1::1', 'a', 'fd00:1::1'],
  ['10.42.0.5', 'a', '10.42.0.5'],
  ['10.42.1.255', 'b', '10.42.1.255'],
  ['10.42.0.77', 'b', '10.42.0.77'], // an address of its own beats another's range
])('a connection to %s goes through %s, to %s', (host, nodeName, dialled) => {
  const route = routeTo({ host, port: 1 }, { nodes, addresses });
  expect(route).toEqual({ nodeName, target: { host: dialled, port: 1 } });
});

test.each(['10.42.2.1', '8.8.8.8', 'webhook.example.org', 'fd00::5', '0'])('%s belongs to no node', (host) => {
  expect(routeTo({ host, port: 1 }, { nodes, addresses })).toBeUndefined();
});

test.each([
  ['10.0.0.5:10250', { host: '10.0.0.5', port: 10_250 }],
  ['[::1]:443', { host: '::1', port: 443 }],
  ['webhook.default.svc:8443', { host: 'webhook.default.svc', port: 8443 }],
  ['10.0.0.5', undefined],
  ['10.0.0.5:0', undefined],
  ['10.0.0.5:99999', undefined],
  [':80', undefined],
  ['', undefined],
])('the target %j', (authority, target) => {
  expect(targetOf(authority)).toEqual(target);
});
