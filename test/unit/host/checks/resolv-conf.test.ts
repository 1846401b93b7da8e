import { expect, test } from 'vitest';
import { findResolvConf, whyNone } from '../../../../src/host/checks/resolv-conf.ts';
import { fakeRoot } from './fake-root.ts';

const etc = (text: string) => fakeRoot({ '/etc/resolv.conf': text });

test('a file whose servers are all reachable is what pods get', () => {
  expect(findResolvConf(etc('search lan\nnameserver 192.0.2.1\n'))).toEqual({
    source: '/etc/resolv.conf',
    text: 'search lan\nnameserver 192.0.2.1\n',
    leftOut: [],
  });
});

test('behind the stub of systemd-resolved the file with the real servers is used', () => {
  const root = fakeRoot({
    '/etc/resolv.conf': 'nameserver 127.0.0.53\n',
    '/run/systemd/resolve/resolv.conf': 'nameserver 192.0.2.1\n',
  });
  expect(findResolvConf(root)).toMatchObject({ source: '/run/systemd/resolve/resolv.conf', leftOut: [] });
});

test('loopback servers beside real ones are left out', () => {
  const root = etc('# local\n; too\nnameserver 127.0.0.1\nnameserver ::1\nnameserver 192.0.2.1\noptions ndots:1\n');
  expect(findResolvConf(root)).toMatchObject({
    source: '/etc/resolv.conf',
    text: 'nameserver 192.0.2.1\noptions ndots:1\n',
    leftOut: [{ server: '127.0.0.1' }, { server: '::1' }],
  });
});

test('servers of IPv6, which pods of IPv4 do not reach, are left out, unless the pods’ network is somebody else’s', () => {
  const root = etc('nameserver 2001:db8::53\nnameserver fe80::1%eth0\nnameserver 192.0.2.1\n');
  expect(findResolvConf(root).text).toBe('nameserver 192.0.2.1\n');
  expect(findResolvConf(root, { hasIPv6: true }).text).toBe('nameserver 2001:db8::53\nnameserver 192.0.2.1\n');
});

test('where no server is one that pods reach, a public one is named, so that CoreDNS does not ask itself, and why is told', () => {
  const stub = findResolvConf(etc('search lan\nnameserver 127.0.0.1\n'));
  expect(stub).toMatchObject({ source: undefined, text: 'search lan\nnameserver 8.8.8.8\n' });
  expect(whyNone(stub)).toBe(
    "this host's resolv.conf names 127.0.0.1 alone, and pods do not reach this host's loopback",
  );
  const ipv6 = findResolvConf(etc('nameserver 2001:db8::53\n'));
  expect(ipv6.text).toBe('nameserver 8.8.8.8\n');
  expect(whyNone(ipv6)).toBe("this host's resolv.conf names 2001:db8::53 alone, and pods have addresses of IPv4 alone");
  expect(findResolvConf(fakeRoot({})).text).toBe('nameserver 8.8.8.8\n');
  expect(whyNone(findResolvConf(etc('')))).toBe('no resolv.conf of this host names a server');
});

test('a file that was named is the only one that is looked at', () => {
  const root = fakeRoot({ '/etc/resolv.conf': 'nameserver 192.0.2.1\n', '/srv/dns': 'nameserver 192.0.2.2\n' });
  expect(findResolvConf(root, { given: '/srv/dns' }).source).toBe('/srv/dns');
});
