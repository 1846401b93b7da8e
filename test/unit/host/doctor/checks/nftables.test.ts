import { expect, test } from 'vitest';
import { nftablesCheck } from '../../../../../src/host/doctor/checks/nftables.ts';
import { faultsOf, patient } from '../patient.ts';
import type { Changes } from '../patient.ts';
import { rulesetOf } from './nftables.ts';

const seen = async (programs: Changes['programs'], box: Changes['box'] = {}) =>
  (await faultsOf(nftablesCheck, patient({ ...(programs && { programs }), box }))).map(({ what }) => what);
const withRules = (...chains: Parameters<typeof rulesetOf>) => ({ 'nft -j list ruleset': rulesetOf(...chains) });

const answers = [{ ct: 'state', right: ['established', 'related'] }];
const dport = (protocol: string, right: unknown) => [{ payload: `${protocol} dport`, right }];
const allPorts = [dport('tcp', { set: [22, 6443, 9345] }), dport('udp', { range: [8000, 9000] })];

test('a chain for packets to this host that drops the rest is named with the ports it lacks and the rules to add', async () => {
  const rules = [
    answers,
    [{ meta: 'iif', right: 'lo' }],
    [{ payload: 'ip protocol', right: 'icmp' }],
    dport('tcp', 6443),
  ];
  const box = patient({ programs: withRules({ hook: 'input', accepting: rules }) });
  expect(await nftablesCheck.look(box)).toEqual([
    {
      severity: 'warning',
      what: 'the nft chain inet filter input drops 9345/tcp, 8472/udp',
      fix: 'nft insert rule inet filter input tcp dport 9345 accept && nft insert rule inet filter input udp dport 8472 accept; and the same in /etc/nftables.conf, which is read at boot',
    },
  ]);
});

test('a chain for packets through this host has to accept what pods send and what they get', async () => {
  const pods = { prefix: { addr: '10.42.0.0', len: 16 } };
  const from = [{ payload: 'ip saddr', right: pods }];
  expect(await seen(withRules({ hook: 'forward', accepting: [answers] }))).toEqual([
    'the nft chain inet filter forward drops what pods send and get (10.42.0.0/16)',
  ]);
  const [fault] = await faultsOf(
    nftablesCheck,
    patient({ programs: withRules({ hook: 'forward', accepting: [from] }) }),
  );
  expect(fault?.fix).toMatch(/^nft insert rule inet filter forward ip daddr 10\.42\.0\.0\/16 accept; /);
  const to = [{ payload: 'ip daddr', right: pods }];
  expect(await seen(withRules({ hook: 'forward', accepting: [from, to] }))).toEqual([]);
});

test.each([
  ['names the ports', { hook: 'input', accepting: allPorts }],
  ['accepts one card', { hook: 'input', accepting: [[{ meta: 'iifname', right: 'eth1' }]] }],
  ['drops nothing', { hook: 'input', accepting: [], policy: 'accept' }],
  ['is iptables’ own', { hook: 'input', accepting: [], family: 'ip', chain: 'INPUT' }],
  ['is firewalld’s', { hook: 'forward', accepting: [], table: 'firewalld' }],
] as const)('nothing is said of a chain that %s', async (_, chain) => {
  expect(await seen(withRules(chain))).toEqual([]);
});

test('a last rule that rejects everything is as good as the policy', async () => {
  const chain = { hook: 'input', accepting: [], policy: 'accept', rejectsRest: true } as const;
  expect(await seen(withRules(chain), { mode: 'agent' })).toEqual(['the nft chain inet filter input drops 8472/udp']);
});

test('what cannot be judged is not called fine: rules that continue in a chain of somebody’s own, and any without nft', async () => {
  const jumping = { hook: 'input', accepting: [], jumps: true } as const;
  expect(await seen(withRules(jumping))).toEqual(['not checked: they continue in chains of somebody’s own']);
  const beside = [rulesetOf(jumping), rulesetOf({ hook: 'forward', accepting: [] })].flatMap(
    (text) => (JSON.parse(text) as { readonly nftables: readonly unknown[] }).nftables,
  );
  expect(await seen({ 'nft -j list ruleset': JSON.stringify({ nftables: beside }) })).toEqual([
    'the nft chain inet filter forward drops what pods send and get (10.42.0.0/16)',
  ]);
  expect(await seen({})).toEqual(['not checked: there is no nft that shows them']);
});
