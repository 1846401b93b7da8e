import { expect, test } from 'vitest';
import { firewallChecks } from '../../../../../src/host/doctor/checks/firewall.ts';
import { faultsOf, patient } from '../patient.ts';
import type { Changes } from '../patient.ts';

const seen = async (name: string, changes: Changes) =>
  (
    await faultsOf(
      firewallChecks.find((check) => check.name === name),
      patient(changes),
    )
  ).map(({ what }) => what);

const input = (...rules: readonly string[]): Changes => ({
  programs: { 'iptables -S INPUT': ['-P INPUT DROP', ...rules.map((rule) => `-A INPUT ${rule}`)].join('\n') },
});

test.each([
  ['an accept for all', input('-j ACCEPT')],
  ['an accept for one network', input('-s 192.168.0.0/24 -j ACCEPT')],
  ['an accept for one interface', input('-i eth1 -j ACCEPT')],
  [
    'ports by name',
    input('-p tcp -m multiport --dports 6443,9345 -j ACCEPT', '-p udp -m udp --dport 8000:9000 -j ACCEPT'),
  ],
])('a box that refuses the rest but has %s lets nodes in, as far as can be seen', async (_, changes) => {
  expect(await seen('input-rules', changes)).toEqual([]);
});

test.each([
  ['loopback', input('-i lo -j ACCEPT')],
  ['answers', input('-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT')],
  ['kube-proxy’s chains and a ban', input('-j KUBE-FIREWALL', '-p tcp -j f2b-sshd')],
  ['the same ports of the other protocol', input('-p udp -m udp --dport 6443:9345 -j ACCEPT')],
])('letting in %s alone lets no node in', async (_, changes) => {
  expect(await seen('input-rules', changes)).toEqual([
    expect.stringMatching(/^no rule lets in .*6443\/tcp, 9345\/tcp/),
  ]);
});

test('an agent opens the pods’ network alone, and nothing with the host-gw backend', async () => {
  const rules = input('-i lo -j ACCEPT');
  expect(await seen('input-rules', { ...rules, box: { mode: 'agent' } })).toEqual([
    'no rule lets in 8472/udp, and the rest is refused',
  ]);
  expect(await seen('input-rules', { ...rules, box: { mode: 'agent', flannelBackend: 'host-gw' } })).toEqual([]);
});

test('rules that continue in a chain of somebody’s own cannot be judged, and are not called fine', async () => {
  expect(await seen('input-rules', input('-j own'))).toEqual([
    'not checked: they continue in a chain of somebody’s own',
  ]);
});

test('where ufw or firewalld runs, the rules are theirs to show', async () => {
  const rules = input('-i lo -j ACCEPT').programs;
  const theirs = ['not checked: they are ufw’s or firewalld’s, which has a check of its own'];
  expect(await seen('input-rules', { programs: { ...rules, 'firewall-cmd --state': 0 } })).toEqual(theirs);
  expect(await seen('input-rules', { programs: rules ?? {}, files: { '/etc/ufw/ufw.conf': 'ENABLED=yes\n' } })).toEqual(
    theirs,
  );
});
