import { expect, test } from 'vitest';
import { cpuTimeMs } from '../../../helpers/cpu-time.ts';
import { Secret } from '../../../../src/shared/secret.ts';
import { answerChallenge, parseChallenges } from '../../../../src/agent/registries/challenge.ts';

test.each([
  ['Basic realm="a b"', [{ scheme: 'basic', parameters: { realm: 'a b' } }]],
  [
    'Bearer realm="https://auth.example.com/token",service="registry",scope="repository:a/b:pull,push"',
    [
      {
        scheme: 'bearer',
        parameters: { realm: 'https://auth.example.com/token', service: 'registry', scope: 'repository:a/b:pull,push' },
      },
    ],
  ],
  [
    'Bearer realm="https://a", Basic realm="b"',
    [
      { scheme: 'bearer', parameters: { realm: 'https://a' } },
      { scheme: 'basic', parameters: { realm: 'b' } },
    ],
  ],
  [
    'Bearer realm="https://basic.example/basic/token",service="bearer"',
    [{ scheme: 'bearer', parameters: { realm: 'https://basic.example/basic/token', service: 'bearer' } }],
  ],
  ['Negotiate', [{ scheme: 'negotiate', parameters: {} }]],
])('%s', (header, challenges) => {
  expect(parseChallenges(header)).toEqual(challenges);
});

test('a password that is asked for over TLS does not go to a realm without', async () => {
  const credentials = { kind: 'password', username: 'u', password: new Secret('p') } as const;
  const nobody = () => Promise.reject(new Error('somebody was asked'));
  const header = 'Bearer realm="http://auth.example.com/token"';
  expect(await answerChallenge(header, { credentials, isTls: true }, nobody)).toBeUndefined();
  await expect(answerChallenge(header, { credentials, isTls: false }, nobody)).rejects.toThrow('somebody was asked');
});

test('a header that is all spaces or all one word is read at once', async () => {
  const headers = [' ', 'x', ', Basic'].map((filler) => `Basic realm${filler.repeat(2_000_000)}`);
  expect(await cpuTimeMs(() => headers.forEach((header) => parseChallenges(header)))).toBeLessThan(2000);
});
