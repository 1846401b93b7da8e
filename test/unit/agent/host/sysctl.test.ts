import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { applySysctls, restoreHost } from '../../../../src/agent/host/sysctl.ts';
import type { HostRoot } from '../../../../src/agent/host/root.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import { pathsOf } from '../../../../src/shared/paths.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';
import { fakeRoot } from './fake-root.ts';

const forward = { name: 'net/ipv4/ip_forward', value: 1 };
const watches = { name: 'fs/inotify/max_user_watches', value: 1000, atLeast: true };

function box(values: Readonly<Record<string, string>> = {}): HostRoot {
  return fakeRoot({
    '/proc/sys/kernel/random/boot_id': 'boot-1\n',
    '/proc/sys/net/ipv4/ip_forward': '0\n',
    '/proc/sys/fs/inotify/max_user_watches': '5000\n',
    ...values,
  });
}

const valueOf = (root: HostRoot, { name }: { readonly name: string }) => root.read(`/proc/sys/${name}`)?.trim();

test('what is not set is set, what is more than enough stays, and all is put back', () => {
  const root = box();
  const paths = pathsOf(temporaryDir());
  applySysctls({ sysctls: [forward, watches], paths, log: silentLog, root });
  expect(valueOf(root, forward)).toBe('1');
  expect(valueOf(root, watches)).toBe('5000');
  expect(restoreHost(paths, root)).toEqual([]);
  expect(valueOf(root, forward)).toBe('0');
});

test('a second start remembers the value from before the first', () => {
  const root = box();
  const paths = pathsOf(temporaryDir());
  applySysctls({ sysctls: [forward], paths, log: silentLog, root });
  writeFileSync(root.path('/proc/sys/net/ipv4/ip_forward'), '2\n'); // by somebody else
  applySysctls({ sysctls: [forward], paths, log: silentLog, root });
  restoreHost(paths, root);
  expect(valueOf(root, forward)).toBe('0');
});

test('after a reboot nothing is put back: the values are the new boot’s own', () => {
  const root = box();
  const paths = pathsOf(temporaryDir());
  applySysctls({ sysctls: [forward], paths, log: silentLog, root });
  writeFileSync(root.path('/proc/sys/kernel/random/boot_id'), 'boot-2\n');
  restoreHost(paths, root);
  expect(valueOf(root, forward)).toBe('1');
});

test('a setting the kernel does not have is passed over, and restoring without a journal does nothing', () => {
  const root = fakeRoot({ '/proc/sys/kernel/random/boot_id': 'boot-1\n' });
  const paths = pathsOf(temporaryDir());
  expect(restoreHost(paths, root)).toEqual([]);
  applySysctls({ sysctls: [forward], paths, log: silentLog, root });
  expect(root.read('/proc/sys/net/ipv4/ip_forward')).toBeUndefined();
});
