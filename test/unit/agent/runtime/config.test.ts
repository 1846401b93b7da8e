import { expect, test } from 'vitest';
import { containerdConfig } from '../../../../src/agent/runtime/config.ts';
import type { ContainerdSettings } from '../../../../src/agent/runtime/config.ts';

const settings: ContainerdSettings = {
  rootDir: '/data/agent/containerd',
  stateDir: '/run/kagent/containerd',
  socketPath: '/run/kagent/containerd/containerd.sock',
  runcPath: '/data/current/bin/runc',
  cniBinDirs: ['/data/current/cni'],
  cniConfDir: '/data/agent/etc/cni/net.d',
  registryHostsDir: '/data/agent/etc/containerd/certs.d',
  dropInDir: '/d/agent/etc/containerd/conf.d',
  sandboxImage: 'kagent.sh/pause:1',
  defaultRuntime: 'runc',
  nonrootDevices: false,
  systemdCgroup: false,
  restrictOomScoreAdj: true,
  snapshotter: 'overlayfs',
};

test('a host without CAP_SYS_RESOURCE is told to leave scores alone, another is not', () => {
  expect(containerdConfig(settings)).toContain('restrict_oom_score_adj = true');
  expect(containerdConfig({ ...settings, restrictOomScoreAdj: false })).toContain('restrict_oom_score_adj = false');
});

test('everything containerd and its shims write while they run is below our state folder', () => {
  const config = containerdConfig(settings);
  for (const line of [
    'address = "/run/kagent/containerd/containerd.sock"',
    'socket_dir = "/run/kagent/containerd/s"',
    'Root = "/run/kagent/containerd/runc"',
    'netns_mounts_under_state_dir = true',
    'imports = ["/d/agent/etc/containerd/conf.d/*.toml"]',
  ]) {
    expect(config).toContain(line);
  }
});

test('pulled images are unpacked by the snapshotter that pods use', () => {
  const config = containerdConfig({ ...settings, snapshotter: 'native' });
  expect(config.match(/snapshotter = "native"/g)).toHaveLength(2);
  expect(config).not.toContain('overlayfs"');
});

test('a path with a quote stays one TOML string', () => {
  expect(containerdConfig({ ...settings, rootDir: '/a"b' })).toContain(String.raw`root = "/a\"b"`);
});
