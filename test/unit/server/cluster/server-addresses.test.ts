import { expect, test } from 'vitest';
import { addressesAt, ownAddresses, serversFor } from '../../../../src/server/cluster/server-addresses.ts';

const ports = { supervisorPort: 9345, httpsListenPort: 6443 };
const own = addressesAt('10.0.0.9', ports);

test('a node that came by another address of the server hears of that one first', () => {
  expect(serversFor(own, ports, '192.168.56.11')).toEqual([
    { supervisorUrl: 'https://192.168.56.11:9345', apiserverUrl: 'https://192.168.56.11:6443' },
    own,
  ]);
});

test.each([undefined, '10.0.0.9', '127.0.0.1', '::1'])(
  'one that came by %s hears of the server’s own alone',
  (address) => {
    expect(serversFor(own, ports, address)).toEqual([own]);
  },
);

test.each([
  { bindAddress: '0.0.0.0', local: '127.0.0.1', supervisor: '10.0.0.9', apiserver: '10.0.0.9' },
  { bindAddress: '10.77.0.11', local: '10.77.0.11', supervisor: '10.77.0.11', apiserver: '10.77.0.11' },
  { bindAddress: '127.0.0.1', local: '127.0.0.1', supervisor: '10.0.0.9', apiserver: '10.0.0.9' },
  { bindAddress: '127.0.0.5', local: '127.0.0.5', supervisor: '10.0.0.9', apiserver: '10.0.0.9' },
  {
    bindAddress: '10.77.0.11',
    advertiseAddress: '203.0.113.5',
    local: '10.77.0.11',
    supervisor: '10.77.0.11',
    apiserver: '203.0.113.5',
  },
])('one that listens on $bindAddress is reached there, from this host and from others', (one) => {
  expect(ownAddresses({ ...ports, ...one }, '10.0.0.9')).toEqual({
    local: addressesAt(one.local, ports),
    advertised: { supervisorUrl: `https://${one.supervisor}:9345`, apiserverUrl: `https://${one.apiserver}:6443` },
    advertiseAddress: one.apiserver,
  });
});
