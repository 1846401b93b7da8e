import { expect, test } from 'vitest';
import type { Membership } from '../../../src/agent/membership/membership.ts';
import { reachedDirectly } from '../../../src/agent/reached-directly.ts';
import type { ClusterSettings } from '../../../src/shared/protocol/join.ts';

const settings: ClusterSettings = {
  clusterCidr: '10.50.0.0/16',
  serviceCidr: '10.51.0.0/16',
  clusterDns: '10.51.0.10',
  clusterDomain: 'example.local',
  flannelBackend: 'vxlan',
};
const facts = { nodeName: 'a1', nodeIp: '127.0.0.1' } as Membership['facts'];
const of = (isJoined: boolean, own?: ClusterSettings) =>
  reachedDirectly({
    membership: { facts, isJoined, settings, serverHosts: ['10.77.0.11', 's1.example.com'] },
    settings: own,
    externalIps: ['203.0.113.5'],
  });

test('a node reaches its cluster’s ranges, its servers, itself and its own network without a proxy', () => {
  const all = ['10.50.0.0/16', '10.51.0.0/16', '.svc', '.example.local', '10.77.0.11', 's1.example.com'];
  expect(of(true)).toEqual(expect.arrayContaining([...all, 'a1', '127.0.0.1', '127.0.0.1/8', '203.0.113.5']));
  expect(of(false, settings)).toEqual(of(true));
});

test('before it has joined, the usual ranges are the cluster’s', () => {
  expect(of(false)).toEqual(expect.arrayContaining(['10.42.0.0/16', '10.43.0.0/16', '.cluster.local']));
  expect(of(false)).not.toContain('10.50.0.0/16');
});
