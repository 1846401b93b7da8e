import { expect, test } from 'vitest';
import { urlHost } from '../../../src/shared/url-host.ts';

test('an address of IPv6 has brackets in a URL, and nothing else has', () => {
  expect(['::1', '127.0.0.1', 'server.example'].map(urlHost)).toEqual(['[::1]', '127.0.0.1', 'server.example']);
});
