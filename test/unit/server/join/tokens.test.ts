import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  openTokens,
  TokenExistsError,
  TokenSecretInvalidError,
  TokenStaticError,
  TokenUnknownError,
  TokenWrongError,
} from '../../../../src/server/join/join.ts';
import { Secret } from '../../../../src/shared/secret.ts';
import { parseToken, TokenFormatError } from '../../../../src/shared/token/token.ts';
import { memoryKeyValue } from '../../../helpers/key-value.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const caHash = 'cd'.repeat(32);

function filesIn(dir: string) {
  return { token: join(dir, 'token'), nodeToken: join(dir, 'node-token'), agentToken: join(dir, 'agent-token') };
}

test('a first start makes a token, in files that only their owner can read', () => {
  const files = filesIn(temporaryDir());
  const tokens = openTokens({ ownNode: 's1', caHash, store: memoryKeyValue(), files });
  expect(readFileSync(files.nodeToken, 'utf8')).toBe(`${tokens.agentToken.reveal()}\n`);
  expect(tokens.agentToken.reveal()).toMatch(/^K10(cd){32}::server:[0-9a-f]{48}$/);
  for (const path of [files.token, files.nodeToken]) expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a second start knows the same token', () => {
  const files = filesIn(temporaryDir());
  const first = openTokens({ ownNode: 's1', caHash, store: memoryKeyValue(), files });
  expect(
    openTokens({ ownNode: 's1', caHash, store: memoryKeyValue(), files }).serverToken.equals(first.serverToken),
  ).toBe(true);
});

test.each(['s3cret', 'server:s3cret', `K10${'00'.repeat(32)}::server:s3cret`])(
  'an operator may give %s; the files hold the whole token with the right hash',
  async (given) => {
    const files = filesIn(temporaryDir());
    const tokens = openTokens({
      ownNode: 's1',
      caHash,
      store: memoryKeyValue(),
      files,
      serverSecret: new Secret(given),
    });
    expect(tokens.serverToken.reveal()).toBe(`K10${caHash}::server:s3cret`);
    expect((await tokens.find(new Secret('server:s3cret')))?.role).toBe('server');
    expect((await tokens.find(new Secret('s3cret')))?.role).toBe('server');
    expect(await tokens.find(new Secret('wrong'))).toBeUndefined();
  },
);

test("agents' own token joins agents, and node-token shows it instead of the servers'", async () => {
  const files = filesIn(temporaryDir());
  const tokens = openTokens({
    ownNode: 's1',
    caHash,
    store: memoryKeyValue(),
    files,
    serverSecret: new Secret('s'),
    agentSecret: new Secret('a'),
  });
  expect((await tokens.find(new Secret('node:a')))?.role).toBe('agent');
  expect((await tokens.find(new Secret('server:s')))?.role).toBe('server');
  expect(parseToken(readFileSync(files.nodeToken, 'utf8')).secret.reveal()).toBe('node:a');
});

test('a damaged token file is an error', () => {
  const files = filesIn(temporaryDir());
  writeFileSync(files.token, 'K10short::server:x\n');
  expect(() => openTokens({ ownNode: 's1', caHash, store: memoryKeyValue(), files })).toThrow(TokenFormatError);
});

test('a token does not show its secret in a log', async () => {
  const tokens = openTokens({
    ownNode: 's1',
    caHash,
    store: memoryKeyValue(),
    files: filesIn(temporaryDir()),
    serverSecret: new Secret('s3cret'),
  });
  expect(JSON.stringify([tokens, await tokens.find(new Secret('s3cret')), await tokens.list()])).not.toContain(
    's3cret',
  );
});

async function issue(changes: { readonly secret?: Secret; readonly ttlMs?: number } = {}) {
  const store = memoryKeyValue();
  const tokens = openTokens({
    ownNode: 's1',
    caHash,
    store,
    files: filesIn(temporaryDir()),
    serverSecret: new Secret('s'),
  });
  const asked = { role: 'agent', description: 'for a', ttlMs: 60_000, secret: undefined, ...changes } as const;
  return { store, tokens, made: await tokens.create(asked) };
}

test('a token that was made is found by its secret, and the datastore has a hash of it alone', async () => {
  const { store, tokens, made } = await issue();
  const { secret } = parseToken(made.text.reveal());
  expect(await tokens.find(secret)).toMatchObject({ id: made.token.id, role: 'agent' });
  const wrong = new Secret(`${made.token.id}.0123456789abcdef`);
  expect(await tokens.find(wrong)).toBeUndefined();
  expect([...store.all.values()].join()).not.toContain(secret.reveal().slice(7));
});

test('the list has all tokens and no secret', async () => {
  const { tokens, made } = await issue();
  const list = await tokens.list();
  expect(list.map(({ id, role, description }) => [id, role, description])).toEqual([
    ['server', 'server', expect.any(String)],
    [made.token.id, 'agent', 'for a'],
  ]);
  expect(JSON.stringify(list)).not.toContain(parseToken(made.text.reveal()).secret.reveal().slice(7));
});

test('an operator may bring the secret, once, and only in the form that has an id', async () => {
  const secret = new Secret('abcdef.0123456789abcdef');
  const { tokens } = await issue({ secret });
  const again = { role: 'agent', description: '', ttlMs: 0, secret } as const;
  await expect(tokens.create(again)).rejects.toThrow(TokenExistsError);
  await expect(tokens.create({ ...again, secret: new Secret('short') })).rejects.toThrow(TokenSecretInvalidError);
});

test('a deleted token is gone; the cluster’s own cannot be deleted', async () => {
  const { tokens, made } = await issue();
  await tokens.delete(made.token.id);
  await expect(tokens.delete(made.token.id)).rejects.toThrow(TokenUnknownError);
  await expect(tokens.delete('server')).rejects.toThrow(TokenStaticError);
});

test('after a rotation the new token joins and the old one does not, and a restart knows it', async () => {
  const files = filesIn(temporaryDir());
  const open = () => openTokens({ ownNode: 's1', caHash, store: memoryKeyValue(), files });
  const tokens = open();
  const old = tokens.serverToken;
  const next = tokens.rotate(old, undefined);
  expect(await tokens.find(parseToken(old.reveal()).secret)).toBeUndefined();
  expect(await tokens.find(parseToken(next.reveal()).secret)).toMatchObject({ role: 'server' });
  expect(readFileSync(files.nodeToken, 'utf8').trim()).toBe(next.reveal());
  expect(open().serverToken.equals(next)).toBe(true);
  expect(() => tokens.rotate(old, undefined)).toThrow(TokenWrongError);
});

test.each([
  ['12345', 16],
  ['s3cret', 31],
  ['0123456789abcdef', 64],
])('a token that an operator has chosen as short as %s is told of, with its %i bits at most', (given, bits) => {
  const files = filesIn(temporaryDir());
  const tokens = openTokens({ ownNode: 's1', caHash, store: memoryKeyValue(), files, agentSecret: new Secret(given) });
  expect(tokens.weaknesses()).toEqual([expect.stringContaining(`the agent token has at most ${bits} bits`)]);
  expect(tokens.weaknesses().join('')).not.toContain(given);
  const again = openTokens({ ownNode: 's1', caHash, store: memoryKeyValue(), files }); // from its file, without the flag
  expect(again.weaknesses()).toHaveLength(1);
});

test.each([undefined, 'abcdef.0123456789abcdef', 'correct-Horse9battery'])(
  'a token like %s is strong enough',
  (given) => {
    const secret = given === undefined ? {} : { serverSecret: new Secret(given) };
    const tokens = openTokens({
      ownNode: 's1',
      caHash,
      store: memoryKeyValue(),
      files: filesIn(temporaryDir()),
      ...secret,
    });
    expect(tokens.weaknesses()).toEqual([]);
  },
);

test.each([
  ['00112233445566', '112233445566'],
  ['1e10', '10000000000'],
  ['0x1F', '31'],
  ['3.10', '3.1'],
])(
  'a cluster whose settings say %s and that was made with %s takes both, also after a restart',
  async (written, made) => {
    const files = filesIn(temporaryDir());
    const open = (secret: string) =>
      openTokens({ ownNode: 's1', caHash, store: memoryKeyValue(), files, serverSecret: new Secret(secret) });
    open(made);
    for (const tokens of [open(written), open(written)]) {
      for (const shown of [made, written]) expect(await tokens.find(new Secret(shown))).toMatchObject({ id: 'server' });
      expect(tokens.serverToken.reveal()).toBe(`K10${caHash}::server:${made}`);
    }
  },
);

test('a cluster that is made now has the token as it was written alone', async () => {
  const files = filesIn(temporaryDir());
  const options = { ownNode: 's1', caHash, store: memoryKeyValue(), files };
  const tokens = openTokens({ ...options, serverSecret: new Secret('00112233445566') });
  expect(await tokens.find(new Secret('00112233445566'))).toMatchObject({ id: 'server' });
  expect(await tokens.find(new Secret('112233445566'))).toBeUndefined();
  const other = openTokens({ ...options, serverSecret: new Secret('another') });
  expect(await other.find(new Secret('00112233445566'))).toBeUndefined();
});
