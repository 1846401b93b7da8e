import { expect, test } from 'vitest';
import { seal, SealError, unseal } from '../../../../src/shared/seal/seal.ts';
import { Secret } from '../../../../src/shared/secret.ts';

const secret = new Secret('one');
const text = 'a key, and a certificate: ü';

test('who knows the secret reads what was sealed with it', () => {
  expect(unseal(secret, seal(secret, text))).toBe(text);
});

test('nothing of it can be seen, and twice the same is sealed in two ways', () => {
  const sealed = seal(secret, text);
  expect(Buffer.from(sealed, 'base64').toString('latin1')).not.toContain('certificate');
  expect(seal(secret, text)).not.toBe(sealed);
});

test('another secret, a bit that was changed, and what is too short are refused', () => {
  const sealed = seal(secret, text);
  expect(() => unseal(new Secret('other'), sealed)).toThrow(SealError);
  const bytes = Buffer.from(sealed, 'base64');
  for (const at of [0, 20, 35, bytes.length - 1]) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8((changed[at] ?? 0) ^ 1, at);
    expect(() => unseal(secret, changed.toString('base64'))).toThrow(SealError);
  }
  expect(() => unseal(secret, 'AAAA')).toThrow(SealError);
});
