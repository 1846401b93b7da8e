import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { childCgroups, removeCgroups } from '../../../../src/host/process/process.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const v2Unit = {
  'proc/self/cgroup': '0::/system.slice/kagent.service\n',
  'sys/fs/cgroup/system.slice/kagent.service/': '',
};
const v2 = { 'sys/fs/cgroup/cgroup.controllers': 'cpu memory\n' };
const systemd = { 'run/systemd/system/': '' };

/** A folder like a host's root: path → content; a path that ends with `/` is a folder. */
function rootWith(files: Readonly<Record<string, string>>): string {
  const root = temporaryDir();
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, path.endsWith('/') ? path : dirname(path)), { recursive: true });
    if (!path.endsWith('/')) writeFileSync(join(root, path), content);
  }
  return root;
}

const made = (root: string, serviceName: string | undefined) =>
  childCgroups('kubelet', { serviceName, root }).map((path) => path.slice(join(root, 'sys/fs/cgroup').length));

test("under systemd with cgroup v2 a child's cgroup is below the unit's own, and no controller is enabled there", () => {
  const root = rootWith({ ...v2, ...v2Unit, ...systemd });
  expect(made(root, 'kagent')).toEqual(['/system.slice/kagent.service/kubelet']);
  expect(existsSync(join(root, 'sys/fs/cgroup/system.slice/kagent.service/kubelet'))).toBe(true);
  expect(existsSync(join(root, 'sys/fs/cgroup/system.slice/kagent.service/cgroup.subtree_control'))).toBe(false);
  expect(existsSync(join(root, 'sys/fs/cgroup/kagent'))).toBe(false);
});

test("a kagent that a person started under systemd makes no cgroups in systemd's tree", () => {
  const session = { 'proc/self/cgroup': '0::/user.slice/user-0.slice/session-1.scope\n' };
  expect(made(rootWith({ ...v2, ...systemd, ...session }), undefined)).toEqual([]);
  expect(made(rootWith({ ...v2, ...systemd, ...session }), 'kagent')).toEqual([]); // its environment was handed on
});

test('without systemd it has a tree of its own in v2, with every controller enabled', () => {
  const root = rootWith({ ...v2, 'sys/fs/cgroup/kagent/cgroup.controllers': 'cpu memory\n' });
  expect(made(root, 'kagent')).toEqual(['/kagent/kubelet']); // OpenRC's name is no unit
  for (const path of ['', 'kagent'])
    expect(readFileSync(join(root, 'sys/fs/cgroup', path, 'cgroup.subtree_control'), 'utf8')).toBe('+cpu +memory');
});

test("with v1 hierarchies it is below the unit in each that counts, and without a unit in kagent's own trees", () => {
  const lines = [
    '9:cpu,cpuacct:/system.slice/kagent.service',
    '8:memory:/system.slice/kagent.service',
    '7:devices:/x.service',
  ];
  const folders = ['cpu,cpuacct', 'memory'].map((name) => [`sys/fs/cgroup/${name}/system.slice/kagent.service/`, '']);
  const root = rootWith({ ...systemd, 'proc/self/cgroup': lines.join('\n'), ...Object.fromEntries(folders) });
  expect(made(root, 'kagent')).toEqual([
    '/cpu,cpuacct/system.slice/kagent.service/kubelet',
    '/memory/system.slice/kagent.service/kubelet',
  ]);
  expect(made(root, undefined)).toEqual(['/memory/kagent/kubelet']);
});

test('its own trees are removed with all that is empty in them', () => {
  const root = rootWith({ ...v2 });
  made(root, undefined);
  for (const file of ['', 'kagent']) expect(existsSync(join(root, 'sys/fs/cgroup', file))).toBe(true);
  expect(removeCgroups(root)).toEqual([]);
  expect(existsSync(join(root, 'sys/fs/cgroup/kagent'))).toBe(false);
});
