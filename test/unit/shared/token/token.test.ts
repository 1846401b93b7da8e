import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Secret } from '../../../../src/shared/secret.ts';
import {
  bareSecret,
  bearerOf,
  parseToken,
  secretOfBearer,
  TokenFormatError,
  tokenText,
} from '../../../../src/shared/token/token.ts';

const hash = 'ab'.repeat(32);

test.each([
  [`K10${hash}::server:s3cret`, hash, 'server:s3cret'],
  [`K10${hash.toUpperCase()}::node:s3cret`, hash, 'node:s3cret'],
  [`K10${hash}::abcdef.0123456789abcdef\n`, hash, 'abcdef.0123456789abcdef'],
  ['  short secret of an operator'.replaceAll(' ', ''), undefined, 'shortsecretofanoperator'],
])('%s is understood', (text, caHash, secret) => {
  const token = parseToken(text);
  expect(token.caHash).toBe(caHash);
  expect(token.secret.reveal()).toBe(secret);
});

test.each([
  ['', 'it is empty'],
  ['two words', 'a space or a line break'],
  [`${hash}::server:x`, 'does not begin with K10'],
  [`K10${hash}`, "'::' and the secret are missing"],
  [`K10${hash.slice(1)}::server:x`, '64 hexadecimal digits'],
  [`K10${hash.slice(1)}g::server:x`, '64 hexadecimal digits'],
  [`K10${hash}::x`, 'server:<secret>, node:<secret> or <id>.<secret>'],
  [`K10${hash}::server:`, 'server:<secret>, node:<secret> or <id>.<secret>'],
])('%j is refused: %s', (text, reason) => {
  expect(() => parseToken(text)).toThrow(TokenFormatError);
  expect(() => parseToken(text)).toThrow(reason);
});

test('no error shows the secret', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (text) => {
      expect(() => parseToken(`K10zz::server:topsecret${text}`)).toThrow(/^(?!.*topsecret)/s);
    }),
  );
});

test('a token that is written is the token that is read', () => {
  const secret = new Secret('s3cret');
  const read = parseToken(tokenText(hash, 'node', secret));
  expect(read.caHash).toBe(hash);
  expect(bareSecret(read.secret).equals(secret)).toBe(true);
});

test('a token of any characters is the same at the other end of a header, which has bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
      fc.pre(!/[\s\p{Cc}\uD800-\uDFFF]/u.test(text));
      const header = bearerOf(new Secret(text));
      expect(header).toMatch(/^[\x20-\x7E\x80-\xFF]+$/);
      expect(secretOfBearer(header)?.reveal()).toBe(text);
    }),
  );
});

test('a client that sends latin-1 is understood', () => {
  expect(secretOfBearer('Bearer p\xE4ssw\xF6rd')?.reveal()).toBe('p\xE4ssw\xF6rd');
  expect(secretOfBearer('Basic x')).toBeUndefined();
  expect(secretOfBearer(undefined)).toBeUndefined();
});
