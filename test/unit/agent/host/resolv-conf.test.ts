import { expect, test } from 'vitest';
import { findResolvConf } from '../../../../src/agent/host/resolv-conf.ts';
import { fakeRoot } from './fake-root.ts';

test('a file whose servers are all reachable is used as it is', () => {
  const found = findResolvConf(fakeRoot({ '/etc/resolv.conf': 'search lan\nnameserver 192.0.2.1\n' }));
  expect(found).toMatchObject({ path: '/etc/resolv.conf', usesFallback: false });
});

test('behind the stub of systemd-resolved the file with the real servers is used', () => {
  const root = fakeRoot({
    '/etc/resolv.conf': 'nameserver 127.0.0.53\n',
    '/run/systemd/resolve/resolv.conf': 'nameserver 192.0.2.1\n',
  });
  expect(findResolvConf(root).path).toBe('/run/systemd/resolve/resolv.conf');
});

test('loopback servers beside real ones are left out', () => {
  const root = fakeRoot({
    '/etc/resolv.conf': '# local\nnameserver 127.0.0.1\nnameserver ::1\nnameserver 192.0.2.1\noptions ndots:1\n',
  });
  expect(findResolvConf(root)).toEqual({
    path: undefined,
    text: 'nameserver 192.0.2.1\noptions ndots:1\n',
    usesFallback: false,
  });
});

test('where all servers are loopback, or there is no file, a public one is named so that CoreDNS does not ask itself', () => {
  const stub = findResolvConf(fakeRoot({ '/etc/resolv.conf': 'search lan\nnameserver 127.0.0.1\n' }));
  expect(stub).toEqual({ path: undefined, text: 'search lan\nnameserver 8.8.8.8\n', usesFallback: true });
  expect(findResolvConf(fakeRoot({})).text).toBe('nameserver 8.8.8.8\n');
});
