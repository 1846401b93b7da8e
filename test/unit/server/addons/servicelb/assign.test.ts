import { expect, test } from 'vitest';
import { assign } from '../../../../../src/server/addons/servicelb/assign.ts';
import type { Claim } from '../../../../../src/server/addons/servicelb/assign.ts';

const nobody = () => undefined;
const http = { protocol: 'TCP', port: 80 };

const claim = (key: string, more: Partial<Claim> = {}): Claim => ({
  key,
  ports: [http],
  nodes: ['n1', 'n2'],
  holds: new Set(),
  createdAt: '2026-01-01T00:00:00Z',
  ...more,
});

test('of two Services that want one port the older has it, and the other hears whose it is', () => {
  const assigned = assign([claim('a', { createdAt: '2026-02-01T00:00:00Z' }), claim('b')], nobody);
  expect(assigned.get('b')).toEqual({ nodes: ['n1', 'n2'], refusals: [] });
  expect(assigned.get('a')).toEqual({
    nodes: [],
    refusals: [{ hostPort: http, nodes: ['n1', 'n2'], by: 'the Service b' }],
  });
});

test('who has a node keeps it, however young', () => {
  const young = claim('young', { createdAt: '2026-03-01T00:00:00Z', holds: new Set(['n1']) });
  const assigned = assign([claim('old'), young], nobody);
  expect(assigned.get('young')?.nodes).toEqual(['n1', 'n2']);
  expect(assigned.get('old')?.nodes).toEqual([]);
});

test('TCP and UDP of one number are two ports, and so are those of different nodes', () => {
  const dns = claim('dns', { ports: [{ protocol: 'UDP', port: 80 }] });
  const [pool1, pool2] = [claim('p1', { nodes: ['n3'] }), claim('p2', { nodes: ['n4'] })];
  const assigned = assign([claim('web'), dns, pool1, pool2], nobody);
  for (const key of ['web', 'dns', 'p1', 'p2']) expect(assigned.get(key)?.refusals).toEqual([]);
});

test('a node on which the host has one of the ports is left out, and no port of it is taken', () => {
  const inUse = (node: string, { port }: { readonly port: number }) =>
    node === 'n1' && port === 22 ? 'sshd (pid 7)' : undefined;
  const both = claim('both', { ports: [http, { protocol: 'TCP', port: 22 }] });
  const assigned = assign([both, claim('web', { createdAt: '2026-02-01T00:00:00Z' })], inUse);
  expect(assigned.get('both')?.nodes).toEqual(['n2']);
  expect(assigned.get('both')?.refusals).toEqual([
    { hostPort: { protocol: 'TCP', port: 22 }, nodes: ['n1'], by: 'sshd (pid 7)' },
  ]);
  expect(assigned.get('web')?.nodes).toEqual(['n1']);
});

test('a program that begins to listen later takes no port away', () => {
  const assigned = assign([claim('web', { holds: new Set(['n1']) })], () => 'nginx (pid 9)');
  expect(assigned.get('web')?.nodes).toEqual(['n1']);
});
