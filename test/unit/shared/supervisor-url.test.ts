import { expect, test } from 'vitest';
import { ServerUrlError, supervisorUrl } from '../../../src/shared/supervisor-url.ts';

test.each([
  ['https://host', 'https://host:9345'],
  ['https://host:6443', 'https://host:9345'],
  ['https://host:6443/', 'https://host:9345'],
  ['https://host:9345', 'https://host:9345'],
  ['https://host:8443', 'https://host:8443'],
  ['https://[fd00::1]:6443', 'https://[fd00::1]:9345'],
  ['host', 'https://host:9345'],
  ['10.0.0.1', 'https://10.0.0.1:9345'],
])('%s means %s', (given, url) => {
  expect(supervisorUrl(given)).toBe(url);
});

test.each([
  ['http://host:9345', 'https://'],
  ['https://host/path', 'a path'],
  ['https://', 'not a URL'],
  ['https://a;reboot', 'no name or address of a host'],
  ['', 'not a URL'],
])('%j is refused: %s', (given, reason) => {
  expect(() => supervisorUrl(given)).toThrow(ServerUrlError);
  expect(() => supervisorUrl(given)).toThrow(reason);
});
