/** Machines that want to be nodes, and those that want to be somebody else's. */
import { expect, test } from 'vitest';
import {
  NodeAliveError,
  NodeHeardLatelyError,
  NodeNameReservedError,
  NodeNameTakenError,
} from '../../../../src/server/identity/identity.ts';
import type { Claim } from '../../../../src/server/identity/identity.ts';
import { fakeClock } from '../../../helpers/clock.ts';
import { nodeIdentities } from '../../../helpers/identities.ts';
import { memoryKeyValue } from '../../../helpers/key-value.ts';

const hourMs = 3_600_000;

const claimOf = (password: string, changes: Partial<Claim> = {}): Claim => ({
  nodeName: 'box',
  password,
  replace: false,
  address: '10.0.0.66',
  by: 'token',
  ...changes,
});

test('who came first keeps the name, and is the same node each time', async () => {
  const { names } = nodeIdentities().identities;
  const first = await names.claim(claimOf('mine'));
  expect(await names.claim(claimOf('mine'))).toEqual(first);
  await expect(names.claim(claimOf('other'))).rejects.toThrow(NodeNameTakenError);
  await names.claim(claimOf('other', { nodeName: 'box2' }));
});

test('of machines that claim a name at the same moment one gets it', async () => {
  const { names } = nodeIdentities().identities;
  const claims = await Promise.allSettled(['a', 'b', 'c'].map((password) => names.claim(claimOf(password))));
  expect(claims.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
});

test('a password is not stored as it is', async () => {
  const store = memoryKeyValue();
  await nodeIdentities({ store }).identities.names.claim(claimOf('hunter2'));
  expect([...store.all.keys()]).toEqual(['/kagent/nodes/box/password', '/kagent/nodes/box/identity']);
  expect([...store.all.values()].join('')).not.toContain('hunter2');
});

test('whoever holds a token does not become a node whose kagent restarts, and people hear that somebody tried', async () => {
  const clock = fakeClock();
  const heardMs = clock.now();
  const { identities, attempts } = nodeIdentities({ clock, heardAtMs: () => ({ isConnected: false, ms: heardMs }) });
  const owner = await identities.names.claim(claimOf('mine'));
  const stranger = claimOf('other', { replace: true });
  for (let minute = 0; minute < 60; minute++) {
    await expect(identities.names.claim(stranger)).rejects.toThrow(NodeHeardLatelyError);
    clock.advance(60_000);
  }
  expect(attempts).toHaveLength(60);
  expect(attempts[0]).toMatchObject({ nodeName: 'box', address: '10.0.0.66' });
  expect(attempts[0]?.refusal).toContain('kagent node rm box');
  expect(await identities.names.claim(claimOf('mine'))).toEqual(owner); // it has noticed nothing
});

test('a machine that nobody has heard for an hour may be replaced by one that says it is gone, one that speaks may not', async () => {
  const clock = fakeClock();
  let heard = { isConnected: true, ms: clock.now() };
  const { identities, attempts, revoked } = nodeIdentities({ clock, heardAtMs: () => heard });
  const { names } = identities;
  const { uid } = await names.claim(claimOf('mine'));
  clock.advance(2 * hourMs);
  await expect(names.claim(claimOf('other', { replace: true }))).rejects.toThrow(NodeAliveError);
  heard = { isConnected: false, ms: clock.now() - hourMs };
  const taken = await names.claim(claimOf('other', { replace: true }));
  expect(taken.replaced).toBe(true);
  expect(taken.uid).not.toBe(uid);
  expect(attempts.map(({ refusal }) => refusal === undefined)).toEqual([false, true]);
  expect(revoked()).toEqual([{ nodeName: 'box', uid }]);
  expect(await names.isMember({ nodeName: 'box', uid })).toBe(false);
  expect(await names.isMember({ nodeName: 'box', uid: taken.uid })).toBe(true);
  await expect(names.claim(claimOf('mine'))).rejects.toThrow(NodeNameTakenError);
});

test("the server's own node is never replaced, not before it has joined and not when it is silent for days", async () => {
  const { identities, attempts } = nodeIdentities(); // nobody was heard since 1970
  const { names } = identities;
  const stranger = claimOf('other', { nodeName: 's1' });
  await expect(names.claim(stranger)).rejects.toThrow(NodeNameReservedError);
  const own = await names.claim(claimOf('mine', { nodeName: 's1', by: 'token-for-name' }));
  await expect(names.claim({ ...stranger, replace: true })).rejects.toThrow(NodeNameReservedError);
  expect(attempts).toHaveLength(2);
  expect(await names.isMember({ nodeName: 's1', uid: own.uid })).toBe(true);
  // Its own data dir was lost: it shows what only this server has.
  expect(await names.claim(claimOf('new', { nodeName: 's1', by: 'token-for-name' }))).toMatchObject({ replaced: true });
});

test('a machine that has the key of the node gives it another password', async () => {
  const { names } = nodeIdentities({ heardAtMs: () => ({ isConnected: true, ms: Date.now() }) }).identities;
  await names.claim(claimOf('mine'));
  await expect(names.claim(claimOf('new', { by: 'certificate' }))).rejects.toThrow(NodeNameTakenError);
  await names.claim(claimOf('new', { by: 'certificate', replace: true }));
  await names.claim(claimOf('new'));
});

test('a removed node is nobody, also after another machine has got its name, and after a restart of the server', async () => {
  const clock = fakeClock();
  const store = memoryKeyValue();
  const { identities } = nodeIdentities({ store, clock });
  const { uid } = await identities.names.claim(claimOf('mine'));
  await identities.forget('box');
  expect(await identities.names.isMember({ nodeName: 'box', uid })).toBe(false);
  const next = await identities.names.claim(claimOf('other'));
  const restarted = nodeIdentities({ store, clock });
  await restarted.identities.load();
  expect(await restarted.identities.names.isMember({ nodeName: 'box', uid })).toBe(false);
  expect(await restarted.identities.names.isMember({ nodeName: 'box', uid: next.uid })).toBe(true);
  expect(restarted.revoked()).toEqual([{ nodeName: 'box', uid }]);
  clock.advance(8 * 24 * hourMs); // no certificate of its lives so long
  const later = nodeIdentities({ store, clock });
  await later.identities.load();
  expect(later.revoked()).toEqual([]);
});

test('a node that joined before certificates had a uid is a member with and without, until it is removed', async () => {
  const store = memoryKeyValue();
  const before = nodeIdentities({ store }).identities;
  await before.names.claim(claimOf('mine'));
  await store.delete('/kagent/nodes/box/identity'); // as the version before left it
  const { identities, revoked } = nodeIdentities({ store });
  expect(await identities.names.isMember({ nodeName: 'box', uid: '' })).toBe(true);
  const { uid } = await identities.names.claim(claimOf('mine', { by: 'certificate' }));
  expect(await identities.names.isMember({ nodeName: 'box', uid })).toBe(true);
  expect(await identities.names.isMember({ nodeName: 'box', uid: '' })).toBe(true);
  await identities.forget('box');
  expect(await identities.names.isMember({ nodeName: 'box', uid: '' })).toBe(false);
  expect(revoked().map((one) => one.uid)).toEqual(['', uid]);
});

test('of a node that kubectl has deleted the same machine may have the name again, and another one once that is off', async () => {
  let isConnected = true;
  const { identities, revoked } = nodeIdentities({ heardAtMs: () => ({ isConnected, ms: Date.now() }) });
  const { names } = identities;
  const { uid } = await names.claim(claimOf('mine'));
  await names.released('box');
  await expect(names.claim(claimOf('other'))).rejects.toThrow(NodeAliveError);
  expect(await names.isMember({ nodeName: 'box', uid })).toBe(true); // its kagent need not notice
  isConnected = false;
  expect(await names.claim(claimOf('mine'))).toMatchObject({ uid });
  await names.held('box'); // its kubelet has made the Node anew
  await expect(names.claim(claimOf('other'))).rejects.toThrow(NodeNameTakenError);
  await names.released('box');
  await names.claim(claimOf('other'));
  expect(revoked()).toEqual([{ nodeName: 'box', uid }]);
  await expect(names.claim(claimOf('third'))).rejects.toThrow(NodeNameTakenError);
});

test("deleting the Node of the server's own box gives nobody its name", async () => {
  const { names } = nodeIdentities().identities;
  await names.claim(claimOf('mine', { nodeName: 's1', by: 'token-for-name' }));
  await names.released('s1');
  await expect(names.claim(claimOf('other', { nodeName: 's1' }))).rejects.toThrow(NodeNameReservedError);
});
