import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openTokens } from '../../../../src/server/join/join.ts';
import { Secret } from '../../../../src/shared/secret.ts';
import { parseToken, TokenFormatError } from '../../../../src/shared/token/token.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const caHash = 'cd'.repeat(32);

function filesIn(dir: string) {
  return { token: join(dir, 'token'), nodeToken: join(dir, 'node-token'), agentToken: join(dir, 'agent-token') };
}

test('a first start makes a token, in files that only their owner can read', () => {
  const files = filesIn(temporaryDir());
  const tokens = openTokens({ caHash, files });
  expect(readFileSync(files.nodeToken, 'utf8')).toBe(`${tokens.agentToken.reveal()}\n`);
  expect(tokens.agentToken.reveal()).toMatch(/^K10(cd){32}::server:[0-9a-f]{48}$/);
  for (const path of [files.token, files.nodeToken]) expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a second start knows the same token', () => {
  const files = filesIn(temporaryDir());
  const first = openTokens({ caHash, files });
  expect(openTokens({ caHash, files }).serverToken.equals(first.serverToken)).toBe(true);
});

test.each(['s3cret', 'server:s3cret', `K10${'00'.repeat(32)}::server:s3cret`])(
  'an operator may give %s; the files hold the whole token with the right hash',
  (given) => {
    const files = filesIn(temporaryDir());
    const tokens = openTokens({ caHash, files, serverSecret: new Secret(given) });
    expect(tokens.serverToken.reveal()).toBe(`K10${caHash}::server:s3cret`);
    expect(tokens.find(new Secret('server:s3cret'))?.role).toBe('server');
    expect(tokens.find(new Secret('s3cret'))?.role).toBe('server');
    expect(tokens.find(new Secret('wrong'))).toBeUndefined();
  },
);

test("agents' own token joins agents, and node-token shows it instead of the servers'", () => {
  const files = filesIn(temporaryDir());
  const tokens = openTokens({ caHash, files, serverSecret: new Secret('s'), agentSecret: new Secret('a') });
  expect(tokens.find(new Secret('node:a'))?.role).toBe('agent');
  expect(tokens.find(new Secret('server:s'))?.role).toBe('server');
  expect(parseToken(readFileSync(files.nodeToken, 'utf8')).secret.reveal()).toBe('node:a');
});

test('a damaged token file is an error', () => {
  const files = filesIn(temporaryDir());
  writeFileSync(files.token, 'K10short::server:x\n');
  expect(() => openTokens({ caHash, files })).toThrow(TokenFormatError);
});

test('a token does not show its secret in a log', () => {
  const tokens = openTokens({ caHash, files: filesIn(temporaryDir()), serverSecret: new Secret('s3cret') });
  expect(JSON.stringify([tokens, tokens.find(new Secret('s3cret'))])).not.toContain('s3cret');
});
