import { expect, test } from 'vitest';
import { nodeOf, targetOf } from '../../../../src/server/tunnel/route.ts';

const nodes = [
  {
    metadata: { name: 'a' },
    spec: { podCIDRs: ['10.42.0.0/24', 'fd00::/64'] },
    status: { addresses: [{ address: '10.0.0.1' }, { address: 'a' }, { address: 'fd00:1::1' }] },
  },
  { metadata: { name: 'b' }, spec: { podCIDRs: ['10.42.1.0/24'] }, status: { addresses: [{ address: '10.42.0.77' }] } },
  { metadata: { name: 'new' } },
];

test.each([
  ['10.0.0.1', 'a'],
  ['a', 'a'],
  ['fd00:1::1', 'a'],
  ['10.42.0.5', 'a'],
  ['10.42.1.255', 'b'],
  ['10.42.0.77', 'b'], // an address of its own beats another's range
  ['10.42.2.1', undefined],
  ['8.8.8.8', undefined],
  ['webhook.example.org', undefined],
  ['fd00::5', undefined],
])('%s belongs to %s', (host, name) => {
  expect(nodeOf(host, nodes)).toBe(name);
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
