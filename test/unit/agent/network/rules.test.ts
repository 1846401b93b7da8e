import { expect, test } from 'vitest';
import { idleChains, loopbackGuard, withoutOurRules } from '../../../../src/agent/network/rules.ts';

const others = `*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:DOCKER - [0:0]
-A INPUT -p tcp -m comment --comment "KUBE-like words in a comment" -j ACCEPT
-A DOCKER -j RETURN
COMMIT
`;

const mixed = `*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:DOCKER - [0:0]
:KUBE-FORWARD - [0:0]
:FLANNEL-FWD - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
-A INPUT -m comment --comment "kubernetes health check" -j KUBE-NODEPORTS
-A INPUT -p tcp -m comment --comment "KUBE-like words in a comment" -j ACCEPT
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FLANNEL-FWD -s 10.42.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-A KUBE-FORWARD -j ACCEPT
-A DOCKER -j RETURN
COMMIT
`;

test('our chains, their rules and the jumps to them go; others’ rules stay to the letter', () => {
  expect(withoutOurRules(mixed)).toBe(others);
});

test('a chain that is kept stays with its rules and the jumps to it', () => {
  const guard = `:KUBE-FIREWALL - [0:0]
-A INPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -j DROP
`;
  const text = `*filter\n${guard}-A INPUT -j KUBE-NODEPORTS\nCOMMIT\n`;
  expect(withoutOurRules(text, [loopbackGuard])).toBe(`*filter\n${guard}COMMIT\n`);
  expect(withoutOurRules(text)).toBe('*filter\nCOMMIT\n');
});

test('where nothing is ours nothing is to be done', () => {
  expect(withoutOurRules(others)).toBeUndefined();
  expect(withoutOurRules('')).toBeUndefined();
});

test('built-in chains that accept and have no rule are idle, and so is a table that has nothing else', () => {
  const mangle = '# Generated\n*mangle\n:PREROUTING ACCEPT [7:420]\nCOMMIT\n# Completed\n';
  const custom = '*nat\n:OUTPUT ACCEPT [0:0]\n:MINE - [0:0]\nCOMMIT\n';
  expect(idleChains(mangle + others + custom)).toEqual([
    { table: 'mangle', chains: ['PREROUTING'], isIdle: true },
    { table: 'filter', chains: ['FORWARD'], isIdle: false },
    { table: 'nat', chains: ['OUTPUT'], isIdle: false },
  ]);
  expect(idleChains('*raw\n:OUTPUT DROP [0:0]\nCOMMIT\n')).toEqual([{ table: 'raw', chains: [], isIdle: false }]);
});
