import { expect, test } from 'vitest';
import { addressesAt, serversFor } from '../../../src/server/server-addresses.ts';

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
