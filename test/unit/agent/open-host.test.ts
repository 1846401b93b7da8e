import { expect, test } from 'vitest';
import { addressNotes } from '../../../src/agent/open-host.ts';

const chosen = { nodeIp: '192.168.56.11', defaultInterface: 'eth1' };

test('a choice between addresses is told, with the others and how to make another one', () => {
  const all = [{ nodeIp: '10.0.2.15', defaultInterface: 'eth0' }, chosen];
  expect(addressNotes(chosen, all)).toEqual([
    'The address of this node is 192.168.56.11 (eth1); the host also has 10.0.2.15 (eth0): --node-ip names another one.',
  ]);
  expect(addressNotes(chosen, [chosen])).toEqual([]);
});
