/** What a node says of its addresses, and what it gets. */
import { expect, test } from 'vitest';
import {
  NodeAddressInvalidError,
  NodeAddressReservedError,
  NodeAddressTakenError,
} from '../../../../src/server/identity/identity.ts';
import type { AddressClaim } from '../../../../src/server/identity/identity.ts';
import { nodeIdentities } from '../../../helpers/identities.ts';
import { memoryKeyValue } from '../../../helpers/key-value.ts';

const claimOf = (nodeName: string, address: string, changes: Partial<AddressClaim> = {}): AddressClaim => ({
  nodeName,
  internalIps: [address],
  externalIps: [],
  seenAs: address,
  ...changes,
});

test.each([
  ['10.0.0.9', "the server's own"],
  ['::ffff:10.0.0.9', "the server's own"],
  ['10.42.3.4', "the pods' range"],
  ['10.43.0.1', "the Services' range"],
])('%s is no node’s: it is of %s', async (address, why) => {
  const { addresses } = nodeIdentities().identities;
  for (const claim of [claimOf('a', address), claimOf('a', '10.0.0.5', { externalIps: [address] })]) {
    await expect(addresses.decide(claim)).rejects.toThrow(NodeAddressReservedError);
    await expect(addresses.decide(claim)).rejects.toThrow(why);
  }
  expect(addresses.of('a')).toBeUndefined();
});

test("the server's own node has the server's address", async () => {
  const { addresses } = nodeIdentities().identities;
  await addresses.decide(claimOf('s1', '10.0.0.9', { seenAs: '127.0.0.1' }));
  expect(addresses.owner('10.0.0.9')).toBe('s1');
});

test("the server's own node takes the server's address along when it gets another name", async () => {
  const store = memoryKeyValue();
  const before = nodeIdentities({ store, ownNode: 'former' }).identities;
  await before.addresses.decide(claimOf('former', '10.0.0.9', { seenAs: '127.0.0.1' }));
  const { identities, moved } = nodeIdentities({ store });
  await identities.load();
  await identities.addresses.decide(claimOf('s1', '10.0.0.9', { seenAs: '127.0.0.1' }));
  expect(moved).toEqual([{ address: '10.0.0.9', from: 'former', to: 's1' }]);
});

test('a node does not get the address of another, whatever its name and whether the other is there', async () => {
  let isConnected = true;
  const { addresses } = nodeIdentities({ heardAtMs: () => ({ isConnected, ms: 0 }) }).identities;
  await addresses.decide(claimOf('a', '10.0.0.5'));
  const claims = [
    claimOf('0', '10.0.0.5', { seenAs: '10.0.0.66' }),
    claimOf('0', '10.0.0.66', { externalIps: ['10.0.0.5'] }),
    claimOf('0', '10.0.0.66', { internalIps: ['10.0.0.66', '10.0.0.5'] }),
  ];
  for (isConnected of [true, false])
    for (const claim of claims) await expect(addresses.decide(claim)).rejects.toThrow(NodeAddressTakenError);
  isConnected = true;
  const here = claimOf('0', '10.0.0.5'); // the connection shows it, but the other one speaks
  await expect(addresses.decide(here)).rejects.toThrow(/the node a.*--node-ip/);
  expect([addresses.owner('10.0.0.5'), addresses.of('0')]).toEqual(['a', undefined]);
});

test('a box to which a router gave the address of one that is off has it, and both are told', async () => {
  const store = memoryKeyValue();
  const { identities, moved } = nodeIdentities({ store });
  await identities.addresses.decide(claimOf('old', '10.0.0.5'));
  await identities.addresses.decide(claimOf('new', '10.0.0.5'));
  expect(moved).toEqual([{ address: '10.0.0.5', from: 'old', to: 'new' }]);
  const restarted = nodeIdentities({ store }).identities;
  await restarted.load();
  expect([restarted.addresses.owner('10.0.0.5'), restarted.addresses.of('old')?.internalIps]).toEqual(['new', []]);
});

test('nodes behind one router have its address in common, and nothing is routed by it', async () => {
  const { addresses } = nodeIdentities().identities;
  await addresses.decide(claimOf('a', '192.168.1.5', { externalIps: ['203.0.113.7'], seenAs: '203.0.113.7' }));
  await addresses.decide(claimOf('b', '192.168.1.6', { externalIps: ['203.0.113.7'], seenAs: '203.0.113.7' }));
  expect(addresses.owner('203.0.113.7')).toBeUndefined();
});

test('one address has one text', async () => {
  const { addresses } = nodeIdentities().identities;
  await addresses.decide(claimOf('a', 'FD00:0::5', { seenAs: 'fd00::5' }));
  expect(addresses.owner('fd00::5')).toBe('a');
  await expect(addresses.decide(claimOf('b', 'fd00:0:0::5', { seenAs: 'fd00::66' }))).rejects.toThrow(
    NodeAddressTakenError,
  );
});

test('what is no address is refused', async () => {
  const { addresses } = nodeIdentities().identities;
  await expect(addresses.decide(claimOf('a', '127.0.0.1'))).rejects.toThrow(NodeAddressInvalidError);
});
