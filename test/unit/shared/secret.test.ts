import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { createLog } from '../../../src/shared/log/log.ts';
import { Secret } from '../../../src/shared/secret.ts';

test('a secret that is printed, logged or serialized by accident stays one', () => {
  const secret = new Secret('hunter2');
  let lines = '';
  const log = createLog({ level: 'debug', format: 'text', write: (line) => (lines += line) });
  log.error('joining', { token: secret });
  expect(`${String(secret)} ${JSON.stringify({ secret })} ${inspect(secret)} ${lines}`).not.toContain('hunter2');
  expect(lines).toContain('token=[redacted]');
  expect(secret.reveal()).toBe('hunter2');
});

test('secrets are equal by their text', () => {
  expect(new Secret('a').equals(new Secret('a'))).toBe(true);
  expect(new Secret('a').equals(new Secret('ab'))).toBe(false);
});
