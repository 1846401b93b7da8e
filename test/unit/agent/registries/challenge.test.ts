import { expect, test } from 'vitest';
import { parseChallenges } from '../../../../src/agent/registries/challenge.ts';

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
  ['Negotiate', [{ scheme: 'negotiate', parameters: {} }]],
])('%s', (header, challenges) => {
  expect(parseChallenges(header)).toEqual(challenges);
});
