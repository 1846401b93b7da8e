import { expect, test } from 'vitest';
import { isOurShim, mountsBelow, withDescendants } from '../../../../src/agent/runtime/shims.ts';

const socket = '/run/kagent/containerd/containerd.sock';
const shim = (...args: readonly string[]) => ['/data/bin/containerd-shim-runc-v2', '-namespace', 'k8s.io', ...args];

test('a shim is ours by the socket of its containerd, exactly', () => {
  expect(isOurShim(shim('-id', 'a', '-address', socket), socket)).toBe(true);
  expect(isOurShim(shim('-id', 'a', '-address', '/run/containerd/containerd.sock'), socket)).toBe(false);
  expect(isOurShim(shim('-address', `${socket}.ttrpc`), socket)).toBe(false);
  expect(isOurShim(shim('-address'), socket)).toBe(false);
});

test('a program that only mentions the socket is not a shim', () => {
  expect(isOurShim(['/usr/bin/vim', '-address', socket], socket)).toBe(false);
  expect(isOurShim([], socket)).toBe(false);
});

test('all that a process has started is found, also when the list has children before their parents', () => {
  const entry = (pid: number, parent: number) => ({ pid, parent, cmdline: [] });
  const processes = [entry(4, 3), entry(3, 2), entry(2, 1), entry(9, 1)];
  expect([...withDescendants([2], processes)].toSorted((a, b) => a - b)).toEqual([2, 3, 4]);
});

test('mounts below a folder come innermost first; one of a similar name, and the folder itself, stay', () => {
  const line = (point: string) => `36 35 98:0 / ${point} rw - tmpfs tmpfs rw`;
  const info = [
    '/',
    '/var/lib/kubelet',
    '/var/lib/kubelet/pods/a',
    String.raw`/var/lib/kubelet/pods/a/v\0401`,
    '/var/lib/kubelet2/x',
  ]
    .map(line)
    .join('\n');
  expect(mountsBelow(info, ['/var/lib/kubelet'])).toEqual(['/var/lib/kubelet/pods/a/v 1', '/var/lib/kubelet/pods/a']);
});
