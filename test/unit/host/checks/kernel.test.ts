import { describe, expect, test } from 'vitest';
import {
  featuresFor,
  featureState,
  kernelFiles,
  parseFilesystems,
  parseKernelConfig,
  parseModuleList,
} from '../../../../src/host/checks/kernel.ts';
import { fakeRoot } from './fake-root.ts';

const release = { '/proc/sys/kernel/osrelease': '6.1.0-9\n' };
const overlay = featuresFor('none').find((feature) => feature.module === 'overlay') ?? raise();
const brNetfilter = featuresFor('none').find((feature) => feature.module === 'br_netfilter') ?? raise();

function raise(): never {
  throw new Error('the feature is not in the list');
}

test('file systems are read with and without the nodev column', () => {
  expect([...parseFilesystems('nodev\tsysfs\n\text4\nnodev\toverlay\n')]).toContain('overlay');
  expect(parseFilesystems('\text4\n').has('ext4')).toBe(true);
});

test('module names come out of modules.builtin and modules.dep, compressed or not, dashes as underscores', () => {
  const text = 'kernel/net/bridge/br_netfilter.ko.xz: kernel/net/bridge/bridge.ko.xz\nkernel/drivers/net/nf-nat.ko\n';
  expect([...parseModuleList(text)]).toEqual(['br_netfilter', 'nf_nat']);
});

test('options that are not set are not in the configuration', () => {
  const config = parseKernelConfig('CONFIG_VETH=y\nCONFIG_VXLAN=m\n# CONFIG_DUMMY is not set\n');
  expect([...config]).toEqual([
    ['CONFIG_VETH', 'y'],
    ['CONFIG_VXLAN', 'm'],
  ]);
});

test('each backend asks for its own device', () => {
  const modules = (backend: Parameters<typeof featuresFor>[0]) => featuresFor(backend).map((feature) => feature.module);
  expect(modules('vxlan')).toContain('vxlan');
  expect(modules('wireguard-native')).toContain('wireguard');
  expect(modules('host-gw')).not.toContain('vxlan');
});

describe('a feature', () => {
  const state = (feature: typeof overlay, files: Readonly<Record<string, string>>) => {
    const root = fakeRoot({ ...release, ...files });
    return featureState(feature, root, kernelFiles(root));
  };

  test('is present when /proc/filesystems has it', () => {
    expect(state(overlay, { '/proc/filesystems': 'nodev\toverlay\n' })).toBe('present');
  });
  test('is present when its setting is there', () => {
    expect(state(brNetfilter, { '/proc/sys/net/bridge/bridge-nf-call-iptables': '0\n' })).toBe('present');
  });
  test('is present when its module is loaded', () => {
    expect(state(overlay, { '/sys/module/overlay/': '' })).toBe('present');
  });
  test('is present when it is built in, though no module of its name is loaded', () => {
    expect(state(overlay, { '/lib/modules/6.1.0-9/modules.builtin': 'kernel/fs/overlayfs/overlay.ko\n' })).toBe(
      'present',
    );
    expect(state(overlay, { '/boot/config-6.1.0-9': 'CONFIG_OVERLAY_FS=y\n' })).toBe('present');
  });
  test('is loadable when its module is on the disk', () => {
    expect(state(overlay, { '/lib/modules/6.1.0-9/modules.dep': 'kernel/fs/overlayfs/overlay.ko.zst:\n' })).toBe(
      'loadable',
    );
  });
  test('is missing when the configuration says no, or says module and there is none', () => {
    expect(state(overlay, { '/boot/config-6.1.0-9': 'CONFIG_VETH=y\n' })).toBe('missing');
    expect(state(overlay, { '/boot/config-6.1.0-9': 'CONFIG_OVERLAY_FS=m\n' })).toBe('missing');
  });
  test('is unknown when nothing speaks of it', () => {
    expect(state(overlay, {})).toBe('unknown');
  });
});
