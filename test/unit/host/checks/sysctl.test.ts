import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { applySysctls, nodeSysctls, restoreSysctl } from '../../../../src/host/checks/sysctl.ts';
import type { HostRoot } from '../../../../src/host/checks/root.ts';
import { openUndoLog } from '../../../../src/host/undo-log/undo-log.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
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

const write = (root: HostRoot, path: string, text: string) => writeFileSync(root.path(path), `${text}\n`);

/** A data dir's undoLog, and what a start and a removal do with it. */
function life(root: HostRoot) {
  const path = join(temporaryDir(), 'journal.jsonl');
  const entries = () =>
    openUndoLog(path)
      .entries()
      .filter((made) => made.kind === 'sysctl');
  return {
    start: (...sysctls: Parameters<typeof applySysctls>[0]['sysctls']) =>
      applySysctls({ sysctls, undoLog: openUndoLog(path), log: silentLog, root }),
    entries,
    restore: () => entries().map((made) => restoreSysctl(made, root)),
    text: () => readFileSync(path, 'utf8'),
  };
}

test('what is not set is set, what is more than enough stays, and all is put back', () => {
  const root = box();
  const { start, restore } = life(root);
  start(forward, watches);
  expect(valueOf(root, forward)).toBe('1');
  expect(valueOf(root, watches)).toBe('5000');
  expect(restore()).toEqual([{}]);
  expect(valueOf(root, forward)).toBe('0');
});

test('a second start remembers the value from before the first', () => {
  const root = box();
  const { start, restore } = life(root);
  start(forward);
  write(root, '/proc/sys/net/ipv4/ip_forward', '2'); // by somebody else
  start(forward);
  restore();
  expect(valueOf(root, forward)).toBe('0');
});

test('what somebody has changed since stays theirs, and is named', () => {
  const root = box();
  const { start, restore } = life(root);
  start(forward);
  write(root, '/proc/sys/net/ipv4/ip_forward', '2');
  const [undone] = restore();
  expect(undone?.stayed?.join()).toBe(
    'net.ipv4.ip_forward is 2: kagent had set 1 (0 before), and somebody changed it since',
  );
  expect(valueOf(root, forward)).toBe('2');
});

test('127.0.0.1 is opened by kube-proxy alone, which guards it; what was before is remembered', () => {
  const localnet = { name: 'net/ipv4/conf/all/route_localnet' };
  const root = box({ '/proc/sys/net/ipv4/conf/all/route_localnet': '0\n' });
  const { start, restore } = life(root);
  start(...nodeSysctls);
  expect(valueOf(root, localnet)).toBe('0');
  write(root, '/proc/sys/net/ipv4/conf/all/route_localnet', '1'); // by kube-proxy
  restore();
  expect(valueOf(root, localnet)).toBe('0');
});

test('what the kubelet will set is remembered though it suits kagent, and kube-proxy’s too', () => {
  const keys = { name: 'kernel/keys/root_maxkeys', value: 1_000_000, atLeast: true };
  const conntrack = { name: 'net/netfilter/nf_conntrack_max' };
  const root = box({
    '/proc/sys/kernel/keys/root_maxkeys': '2000000\n',
    '/proc/sys/net/netfilter/nf_conntrack_max': '7\n',
  });
  const { start, restore } = life(root);
  start(keys);
  write(root, '/proc/sys/kernel/keys/root_maxkeys', '1000000');
  write(root, '/proc/sys/net/netfilter/nf_conntrack_max', '131072');
  expect(restore()).toEqual([{}, {}]);
  expect(valueOf(root, keys)).toBe('2000000');
  expect(valueOf(root, conntrack)).toBe('7');
});

test('after a reboot nothing is put back: the values are the new boot’s own, and the old ones are forgotten', () => {
  const root = box();
  const { start, restore, text } = life(root);
  start(forward);
  write(root, '/proc/sys/kernel/random/boot_id', 'boot-2');
  restore();
  expect(valueOf(root, forward)).toBe('1');
  start(forward, { name: 'fs/inotify/max_user_watches', value: 6000 });
  expect(text()).not.toContain('boot-1');
  restore();
  expect(valueOf(root, watches)).toBe('5000');
});

test('a host that takes no redirects takes none afterwards, though the kernel lets it when forwarding ends', () => {
  const redirects = { name: 'net/ipv4/conf/all/accept_redirects', value: 0 };
  const root = box({ '/proc/sys/net/ipv4/conf/all/accept_redirects': '0\n' });
  const { start, entries } = life(root);
  start(forward);
  for (const made of entries().toReversed()) {
    restoreSysctl(made, root);
    if (made.name === forward.name) write(root, `/proc/sys/${redirects.name}`, '1');
  }
  expect([valueOf(root, forward), valueOf(root, redirects)]).toEqual(['0', '0']);
});

test('a setting the kernel does not have is passed over, and there is nothing to put back then', () => {
  const root = fakeRoot({ '/proc/sys/kernel/random/boot_id': 'boot-1\n' });
  const { start, restore } = life(root);
  start(forward);
  expect(root.read('/proc/sys/net/ipv4/ip_forward')).toBeUndefined();
  expect(restore()).toEqual([]);
});
