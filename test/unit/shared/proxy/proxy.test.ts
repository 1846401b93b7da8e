import { expect, test } from 'vitest';
import { isDirect, ownNetworks, proxyVariables, usesProxy } from '../../../../src/shared/proxy/proxy.ts';

const own = ownNetworks({
  clusterCidr: '10.42.0.0/16',
  serviceCidr: '10.43.0.0/16',
  clusterDomain: 'cluster.local',
  hosts: ['10.77.0.11', 'server.example.com'],
});
const proxy = { HTTPS_PROXY: 'http://proxy:3128' };

test('a child with a proxy has what is the cluster’s own beside what the operator leaves out, in both spellings', () => {
  const env = { ...proxy, NO_PROXY: 'a.example.com, .b.example.com', no_proxy: 'c.example.com,,a.example.com' };
  const { NO_PROXY: list = '', ...others } = proxyVariables(env, own);
  expect(others).toEqual({ ...proxy, no_proxy: list });
  const theirs = 'a.example.com .b.example.com c.example.com';
  const clusters =
    'localhost 127.0.0.0/8 ::1 10.42.0.0/16 10.43.0.0/16 .svc .cluster.local 10.77.0.11 server.example.com';
  expect(list).toBe(`${theirs} ${clusters}`.replaceAll(' ', ','));
});

test('without a proxy a child has none of these variables', () => {
  expect(proxyVariables({ NO_PROXY: 'a', HTTPS_PROXY: '' }, own)).toEqual({});
  expect([{}, { HTTPS_PROXY: '' }, proxy].map(usesProxy)).toEqual([false, false, true]);
});

test.each([
  ['https://registry.example.com/', '', 'proxy'],
  ['https://registry.example.com/', 'example.com', 'direct'],
  ['https://example.com/', 'example.com', 'direct'],
  ['https://example.com/', '.example.com', 'proxy'],
  ['https://a.example.com/', '.example.com', 'direct'],
  ['https://a.example.com/', '*.example.com', 'direct'],
  ['https://notexample.com/', 'example.com', 'proxy'],
  ['https://a.example.com/', ' B.example.com , A.example.COM', 'direct'],
  ['https://a.example.com:5000/', 'a.example.com:5000', 'direct'],
  ['https://a.example.com/', 'a.example.com:5000', 'proxy'],
  ['http://a.example.com/', 'a.example.com:80', 'direct'],
  ['https://192.168.7.9/', '192.168.0.0/16', 'direct'],
  ['https://192.168.7.9/', '192.168.7.9', 'direct'],
  ['https://192.169.7.9/', '192.168.0.0/16', 'proxy'],
  ['https://[fd00::7]/', 'fd00::/8', 'direct'],
  ['https://[fd00::7]/', '10.0.0.0/8,bad/99', 'proxy'],
  ['https://anything.example.com/', '*', 'direct'],
  ['https://10.43.9.9/', '', 'direct'],
  ['https://10.42.0.9:8443/', '', 'direct'],
  ['https://registry.apps.svc/', '', 'direct'],
  ['https://registry.apps.svc.cluster.local/', '', 'direct'],
  ['https://server.example.com:9345/', '', 'direct'],
  ['http://127.0.0.9:5000/', '', 'direct'],
  ['http://localhost:5000/', '', 'direct'],
])('%s with NO_PROXY=%s goes %s, as Go decides it', (url, list, way) => {
  const env = { ...proxy, NO_PROXY: list };
  expect(isDirect(new URL(url), env, own)).toBe(way === 'direct');
});
