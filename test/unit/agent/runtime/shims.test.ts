import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  hasRootOf,
  isBoundToItself,
  isOurShim,
  mountsBelow,
  unmount,
  withDescendants,
} from '../../../../src/agent/runtime/shims.ts';
import { parseMounts } from '../../../../src/host/mounts/mounts.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

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
  expect(mountsBelow(parseMounts(info), ['/var/lib/kubelet'])).toEqual([
    '/var/lib/kubelet/pods/a/v 1',
    '/var/lib/kubelet/pods/a',
  ]);
});

test('a mount that has gone with another one is none that stays', async () => {
  const left: string[] = [];
  await unmount(temporaryDir(), left);
  expect(left).toEqual([]);
});

test("the kubelet's own bind of its folder is told from a disk or a folder that somebody mounted there", () => {
  const root = '22 1 254:0 / / rw - ext4 /dev/vda rw\n30 22 254:16 /data /var rw - ext4 /dev/vdb rw';
  const isOwn = (line: string) => isBoundToItself(parseMounts(`${root}\n${line}`), '/var/lib/kubelet');
  expect(isOwn('40 30 254:16 /data/lib/kubelet /var/lib/kubelet rw - ext4 /dev/vdb rw')).toBe(true);
  expect(isOwn('40 30 254:32 / /var/lib/kubelet rw - ext4 /dev/vdc rw')).toBe(false);
  expect(isOwn('40 30 254:16 /data/other /var/lib/kubelet rw - ext4 /dev/vdb rw')).toBe(false);
  expect(isBoundToItself(parseMounts(root), '/var/lib/kubelet')).toBe(false);
});

test('a process is in a container of ours if its root is what we have mounted for one, not if it only mounts it', () => {
  const overlay = '900 800 0:50 / / rw - overlay overlay rw';
  const native = '900 800 254:0 /snapshots/2 / rw - ext4 /dev/vda rw';
  // A lab's, or another container's: its layers have the same names.
  const others = [
    '900 800 0:51 / / rw - overlay overlay rw',
    '900 800 254:0 /lab/s1/snapshots/2 / rw - ext4 /dev/vda rw',
  ];
  const volume = '900 800 254:0 / / rw - ext4 /dev/vda rw\n901 900 0:50 / /mnt rw - overlay x rw';
  const roots = [
    { device: '0:50', root: '/' },
    { device: '254:0', root: '/snapshots/2' },
  ];
  const isOurs = (text: string) => hasRootOf(parseMounts(text), roots);
  expect([overlay, native, ...others, volume].map(isOurs)).toEqual([true, true, false, false, false]);
});

test('mounts below a folder that is a link to another disk are found by their real names', () => {
  const disk = temporaryDir();
  const link = join(temporaryDir(), 'kubelet');
  symlinkSync(disk, link);
  const info = `36 35 98:0 / ${disk}/pods/a/volumes/x rw - ext4 /dev/sda rw\n`;
  expect(mountsBelow(parseMounts(info), [join(link, 'pods')])).toEqual([`${disk}/pods/a/volumes/x`]);
});
