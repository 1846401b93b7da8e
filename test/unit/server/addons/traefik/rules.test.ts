import { expect, test } from 'vitest';
import { oldSyntaxIn } from '../../../../../src/server/addons/traefik/rules.ts';

const route = (match: string, syntax?: string) => ({
  metadata: { name: 'web' },
  spec: { routes: [{ match, ...(syntax !== undefined && { syntax }) }] },
});

test.each([
  ['two hosts', 'Host(`a.example`, `b.example`)', 'write Host(`a.example`) || Host(`b.example`)'],
  ['two paths', 'Host(`a.example`) && PathPrefix("/x", "/y")', 'write PathPrefix(`/x`) || PathPrefix(`/y`)'],
  [
    'a named expression',
    'HostRegexp(`{sub:[a-z]+}.example`)',
    '{sub:[a-z]+}.example is written as a regular expression',
  ],
  ['a renamed matcher', 'Headers(`X-A`, `1`)', 'Headers is called Header'],
  ['another one', 'HeadersRegexp(`X-A`, `^1`)', 'HeadersRegexp is called HeaderRegexp'],
  ['a query', 'Query(`page=2`)', 'Query(`page`, `2`)'],
])('%s as Traefik 2 has it', (_, match, message) => {
  expect(oldSyntaxIn(route(match))).toContain(message);
});

test.each([
  'Host(`a.example`) || Host(`b.example`)',
  'HostRegexp(`^[a-z]+\\.example$`) && PathRegexp(`^/v[0-9]{1,3}/`)',
  'Header(`X-A`, `1`) && Query(`page`, `2`) && !ClientIP(`10.0.0.0/8`)',
  'HostSNI(`*`)',
  '',
])('%s is fine', (match) => {
  expect(oldSyntaxIn(route(match))).toBeUndefined();
});

test('who asks for the old syntax gets it', () => {
  expect(oldSyntaxIn(route('Host(`a`, `b`)', 'v2'))).toBeUndefined();
});
