import { expect, test } from 'vitest';
import { registriesOf } from '../../../../src/agent/registries/endpoints.ts';
import type { RegistryConfig } from '../../../../src/agent/registries/file.ts';
import { Secret } from '../../../../src/shared/secret.ts';

/** Whose credentials are shown at an endpoint of `images.example.org`, when each of `names` has its own. */
function credentialsAt(endpoint: string, names: readonly string[]): string | undefined {
  const configs = names.map((username): readonly [string, RegistryConfig] => [
    username,
    { credentials: { kind: 'password', username, password: new Secret('p') }, tls: { skipVerify: false } },
  ]);
  const mirrors = new Map([['images.example.org', { endpoints: [endpoint, 'https://last.example'], rewrites: [] }]]);
  const registries = registriesOf({ mirrors, configs: new Map(configs) }, false);
  const { credentials } = registries.find(({ name }) => name === 'images.example.org')?.mirrors[0] ?? {};
  return credentials?.kind === 'password' ? credentials.username : undefined;
}

test.each([
  ['https://r.example:443', 'r.example:443'],
  ['https://r.example:443', 'r.example'],
  ['https://r.example', 'r.example:443'],
  ['r.example:443', 'r.example:443'],
  ['r.example', 'r.example:443'],
  ['http://r.example:80', 'r.example:80'],
  ['http://r.example', 'r.example:80'],
  ['http://r.example:443', 'r.example:443'],
  ['https://R.Example', 'R.Example'],
  ['https://R.Example', 'r.example'],
  ['https://r.example', 'R.EXAMPLE'],
  ['https://R.Example:5000/v2/team', 'r.example:5000'],
  ['LOCALHOST:5000', 'localhost:5000'],
  ['https://[FD00::1]:443', '[fd00::1]'],
  ['https://docker.io', 'docker.io'],
  ['https://docker.io', 'registry-1.docker.io'],
  ['https://registry-1.docker.io', 'docker.io'],
  ['https://registry-1.docker.io', 'registry-1.docker.io'],
])('at %s the credentials of %s are shown', (endpoint, name) => {
  expect(credentialsAt(endpoint, ['other.example', name])).toBe(name);
});

test.each([
  ['https://r.example', 'r.example:80'],
  ['http://r.example', 'r.example:443'],
  ['https://r.example:5000', 'r.example'],
  ['https://r.example', 'r.example:5000'],
  ['https://r.example.org', 'r.example'],
])('at %s the credentials of %s are not', (endpoint, name) => {
  expect(credentialsAt(endpoint, [name])).toBeUndefined();
});

test('of several names for a place the one that is written so goes first, a star last', () => {
  expect(credentialsAt('https://R.example', ['*', 'r.example', 'r.example:443', 'R.example'])).toBe('R.example');
  expect(credentialsAt('https://r.example:443', ['*', 'r.example', 'r.example:443'])).toBe('r.example:443');
  expect(credentialsAt('https://r.example:443', ['*', 'r.example'])).toBe('r.example');
  expect(credentialsAt('https://r.example', ['*', 'other.example'])).toBe('*');
});

test('a mirror that is named twice, however it is written, is asked once', () => {
  const endpoints = ['https://r.example', 'R.example:443', 'https://r.example/v2/', 'http://r.example'];
  const mirrors = new Map([['a.example', { endpoints, rewrites: [] }]]);
  const [registry] = registriesOf({ mirrors, configs: new Map() }, false);
  expect(registry?.mirrors.map(({ url }) => url?.href)).toEqual(['https://r.example/v2', 'http://r.example/v2']);
});
