import { expect, test } from 'vitest';
import { componentsDown, conditionsOf, conditionsOfSilence, isDown } from '../../../../src/server/nodes/conditions.ts';
import type { Heartbeat } from '../../../../src/shared/protocol/channel.ts';
import { seen } from '../../../helpers/channel-server.ts';

const nowMs = Date.parse('2030-01-01T00:00:00Z');
const of = (changes: Partial<Heartbeat>) => {
  const conditions = conditionsOf({ type: 'beat', seq: 1, ...seen, ...changes }, nowMs);
  return Object.fromEntries(conditions.map(({ type, status, message }) => [type, `${status}: ${message}`]));
};

test('a node that is well says so', () => {
  expect(of({ clockSkewMs: 15 })).toEqual({
    'kagent.sh/Connected': 'True: logs and exec reach this node',
    'kagent.sh/ChildrenHealthy': 'True: every component runs',
    'kagent.sh/ClockSynced': 'True: within 2 s of the server',
    'kagent.sh/CertificatesValid': 'True: renewed in time by kagent',
  });
});

test('a component that is down is named with its last words', () => {
  const children = [
    { name: 'kubelet', state: 'ready', restarts: 3 },
    { name: 'flanneld', state: 'backing-off', restarts: 2, lastExit: 'exit code 1: no route' },
  ];
  expect(of({ children })['kagent.sh/ChildrenHealthy']).toBe('False: flanneld is backing-off (exit code 1: no route)');
});

test('what an agent says is not ready is what its node says, with its reason, since when, and nothing beside', () => {
  const children = [{ name: 'kubelet', state: 'not-answering', restarts: 0 }];
  const since = '2029-12-31T23:59:30.000Z';
  const notReady = [
    { name: 'kubelet', reason: 'NotAnswering', message: 'it does not answer', since },
    { name: 'cni', reason: 'NoPodCIDR', message: '', since },
  ];
  expect(of({ children, notReady })['kagent.sh/ChildrenHealthy']).toBe(
    `False: kubelet is not ready since ${since} (NotAnswering): it does not answer; cni is not ready since ${since} (NoPodCIDR)`,
  );
  expect(of({ children: [], notReady: [] })['kagent.sh/ChildrenHealthy']).toBe('True: every component runs');
  expect(componentsDown({ type: 'beat', seq: 1, ...seen, children, notReady })).toEqual(['kubelet', 'cni']);
  expect(componentsDown({ type: 'beat', seq: 1, ...seen, children })).toEqual(['kubelet']);
});

test.each([
  ['ready', 0, false],
  ['starting', 0, false],
  ['starting', 1, true],
  ['backing-off', 0, true],
  ['stopped', 4, true],
])('a component that is %s after %i restarts: down is %s', (state, restarts, down) => {
  expect(isDown({ name: 'kubelet', state, restarts })).toBe(down);
});

test.each([
  [undefined, 'Unknown: '],
  [2000, 'True: within 2 s of the server'],
  [-61_000, 'False: 61 s behind the server; run an NTP client on both'],
  [3_600_000, 'False: 3600 s ahead of the server; run an NTP client on both'],
])('a clock that is %s ms off', (clockSkewMs, said) => {
  expect(of(clockSkewMs === undefined ? {} : { clockSkewMs })['kagent.sh/ClockSynced']).toBe(said);
});

test('a certificate that has expired is named', () => {
  const certificates = [
    { name: 'kubelet', notBefore: '2029-01-01T00:00:00Z', notAfter: '2031-01-01T00:00:00Z' },
    { name: 'kube-proxy', notBefore: '2029-01-01T00:00:00Z', notAfter: '2029-12-31T00:00:00Z' },
  ];
  expect(of({ certificates })['kagent.sh/CertificatesValid']).toBe('False: expired: kube-proxy');
});

test('of a node that is silent only that is known', () => {
  expect(conditionsOfSilence('gone').map(({ status }) => status)).toEqual(['False', 'Unknown', 'Unknown', 'Unknown']);
});
