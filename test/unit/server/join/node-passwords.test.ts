import { expect, test } from 'vitest';
import { createNodePasswords, NodeNameTakenError } from '../../../../src/server/join/join.ts';
import { memoryKeyValue } from '../../../helpers/key-value.ts';

test('who came first keeps the name', async () => {
  const passwords = createNodePasswords(memoryKeyValue());
  await passwords.claim('box', 'mine');
  await passwords.claim('box', 'mine');
  await expect(passwords.claim('box', 'other')).rejects.toThrow(NodeNameTakenError);
  await passwords.claim('box2', 'other');
});

test('of two machines that claim a name at the same moment one gets it', async () => {
  const passwords = createNodePasswords(memoryKeyValue());
  const claims = await Promise.allSettled(['a', 'b', 'c'].map((password) => passwords.claim('box', password)));
  expect(claims.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
});

test('a password is not stored as it is', async () => {
  const store = memoryKeyValue();
  await createNodePasswords(store).claim('box', 'hunter2');
  expect([...store.all.keys()]).toEqual(['/kagent/nodes/box/password']);
  expect([...store.all.values()].join('')).not.toContain('hunter2');
});
