import { expect, test } from 'vitest';
import { installCommand } from '../../../../src/host/packages/packages.ts';

test('each distribution has its own words', () => {
  const on = (release: string) => installCommand(['iptables'], release);
  expect(on('ID=ubuntu\nID_LIKE=debian\n')).toBe('apt-get install iptables');
  expect(on('ID="rocky"\nID_LIKE="rhel centos fedora"\n')).toBe('dnf install iptables');
  expect(on('ID=alpine\n')).toBe('apk add iptables');
  expect(on('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n')).toBe('zypper install iptables');
  expect(on('ID=arch\n')).toBe('pacman -S iptables');
  expect(on('ID=something\n')).toBe('the package iptables');
});

test('several packages are one command, each by the name it has there', () => {
  expect(installCommand(['iproute2', 'nftables'], 'ID=fedora\n')).toBe('dnf install iproute iproute-tc nftables');
  expect(installCommand(['iproute2', 'bash'], '')).toBe('the packages iproute2 bash');
});
