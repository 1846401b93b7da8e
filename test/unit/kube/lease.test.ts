import { expect, test } from 'vitest';
import { Lease } from '../../../src/kube/kube.ts';
import type { KubeObject } from '../../../src/kube/kube.ts';
import { objectServer } from '../../helpers/object-server.ts';

const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases';

/** An API server, and whoever wants the Lease there; time is the test's. */
async function wanting() {
  const { kube, get, set } = await objectServer({ mergesPatches: true });
  set(leases, 'x', undefined);
  let nowMs = 0;
  const clock = { now: () => 1_800_000_000_000 + nowMs, monotonicMs: () => nowMs };
  const of = (identity: string) =>
    new Lease({ kube, namespace: 'kube-system', name: 'kagent', identity, durationMs: 15_000, clock });
  const spec = () => get(leases, 'kagent')?.spec as KubeObject['metadata'] | undefined;
  return { of, spec, pass: (ms: number) => (nowMs += ms) };
}

test('the first has it, keeps it by renewing it, and others are told whose it is', async () => {
  const { of, spec, pass } = await wanting();
  const [a, b] = [of('a'), of('b')];
  expect(await a.hold()).toBe('a');
  expect(await b.hold()).toBe('a');
  for (let round = 0; round < 4; round++) {
    pass(10_000);
    expect(await a.hold()).toBe('a');
    expect(await b.hold()).toBe('a');
  }
  expect(spec()).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 });
});

test('who is not heard of for its duration has lost it', async () => {
  const { of, spec, pass } = await wanting();
  const [a, b] = [of('a'), of('b')];
  await a.hold();
  expect(await b.hold()).toBe('a');
  pass(14_000);
  expect(await b.hold()).toBe('a');
  pass(1000);
  expect(await b.hold()).toBe('b');
  expect(await a.hold()).toBe('b');
  expect(spec()).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
});

test('what is given back is the next one’s at once, and only its holder gives it back', async () => {
  const { of } = await wanting();
  const [a, b] = [of('a'), of('b')];
  await a.hold();
  await b.release();
  expect(await b.hold()).toBe('a');
  await a.release();
  expect(await b.hold()).toBe('b');
});
