import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { authenticationOf } from '../../../../src/server/control-plane/authentication.ts';
import { flagsOf } from '../../../../src/shared/arguments/arguments.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

function written(...args: readonly string[]) {
  const { fileText, passed } = authenticationOf(flagsOf(args));
  const { apiVersion, kind, ...rest } = JSON.parse(fileText ?? '{}') as Record<string, unknown>;
  expect([apiVersion, kind]).toEqual(['apiserver.config.k8s.io/v1', 'AuthenticationConfiguration']);
  return { ...rest, passed };
}
const issuer = ['oidc-issuer-url=https://id.example.com', 'oidc-client-id=web'];

test('unless it is said otherwise, whoever has no credentials may ask for health and version alone', () => {
  expect(written('v=2')).toEqual({
    anonymous: {
      enabled: true,
      conditions: ['/livez', '/readyz', '/healthz', '/version'].map((path) => ({ path })),
    },
    passed: [{ name: 'v', value: '2' }],
  });
});

test.each([
  ['anonymous-auth=false', { enabled: false }],
  ['--anonymous_auth=0', { enabled: false }],
  ['anonymous-auth', { enabled: true }],
])('%s is in the file, and not on the command line beside it', (arg, anonymous) => {
  expect(written(arg)).toEqual({ anonymous, passed: [] });
});

test('an issuer of flags is one of the file, with what kube-apiserver makes of each flag', () => {
  expect(written(...issuer, 'v=2')).toMatchObject({
    jwt: [
      {
        issuer: { url: 'https://id.example.com', audiences: ['web'] },
        claimMappings: { username: { claim: 'sub', prefix: 'https://id.example.com#' } },
      },
    ],
    passed: [{ name: 'v', value: '2' }],
  });
  const caFile = join(temporaryDir(), 'ca.pem');
  writeFileSync(caFile, 'PEM');
  expect(
    written(
      ...issuer,
      `oidc-ca-file=${caFile}`,
      'oidc-username-claim=name',
      'oidc-username-prefix=-',
      'oidc-groups-claim=groups',
      'oidc-groups-prefix=id:',
      'oidc-required-claim=hd=example.com',
      'oidc-required-claim=a=b=c',
    ),
  ).toMatchObject({
    jwt: [
      {
        issuer: { certificateAuthority: 'PEM' },
        claimMappings: { username: { claim: 'name', prefix: '' }, groups: { claim: 'groups', prefix: 'id:' } },
        claimValidationRules: [
          { claim: 'hd', requiredValue: 'example.com' },
          { claim: 'a', requiredValue: 'b=c' },
        ],
      },
    ],
  });
});

test('a mail address has no prefix unless one is said', () => {
  expect(written(...issuer, 'oidc-username-claim=email')).toMatchObject({
    jwt: [{ claimMappings: { username: { claim: 'email', prefix: '' } } }],
  });
});

test('a file of the operator’s takes the place of kagent’s', () => {
  const theirs = flagsOf(['authentication-config=/etc/a.yaml', 'anonymous-auth=false']);
  expect(authenticationOf(theirs)).toEqual({ fileText: undefined, passed: theirs });
});

test.each([
  [[issuer[0] ?? ''], 'oidc-issuer-url and oidc-client-id are needed, both'],
  [['oidc-groups-claim=g'], 'oidc-issuer-url and oidc-client-id are needed, both'],
  [[...issuer, 'oidc-required-claim=x'], 'it is claim=value'],
  [[...issuer, 'oidc-ca-file=/nowhere'], 'ENOENT'],
  [[...issuer, 'authentication-config=/etc/a.yaml'], 'write the issuer there'],
  [['anonymous-auth=maybe'], 'it is true or false'],
])('%j is refused in a sentence', (args, said) => {
  expect(() => authenticationOf(flagsOf(args))).toThrow(said);
});
