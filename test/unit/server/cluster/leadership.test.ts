import { expect, onTestFinished, test } from 'vitest';
import { createLeadership, whileLeading } from '../../../../src/server/cluster/cluster.ts';
import type { Component } from '../../../../src/shared/component/component.ts';
import { task } from '../../../../src/shared/component/component.ts';
import { Listeners } from '../../../../src/shared/listeners.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import { objectServer } from '../../../helpers/object-server.ts';
import { eventually } from '../../../helpers/wait.ts';

const { signal } = new AbortController();
const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases';
const timing = { durationMs: 400, deadlineMs: 300, renewMs: 100, retryMs: 50 };

test('one of two leads, and the other one when it goes', async () => {
  const { kube, set } = await objectServer({ mergesPatches: true });
  set(leases, 'x', undefined);
  const [a, b] = ['a', 'b'].map((identity) => createLeadership({ kube, identity, timing, log: silentLog }));
  if (a === undefined || b === undefined) throw new Error('two were made');
  onTestFinished(() => b.stop());
  await a.start(signal);
  await eventually(() => a.isLeading());
  await b.start(signal);
  await eventually(() => b.health().reason === 'Following');
  expect(b.health().message).toBe('a leads');
  expect(b.isLeading()).toBe(false);
  await a.stop();
  await eventually(() => b.isLeading());
  expect(a.isLeading()).toBe(false);
});

test('who cannot renew it stops to lead before another one may begin', async () => {
  const { kube, set } = await objectServer({ mergesPatches: true });
  set(leases, 'x', undefined);
  let isAway = false;
  const find: typeof kube.find = (...args) => (isAway ? Promise.reject(new Error('away')) : kube.find(...args));
  const told: boolean[] = [];
  const leadership = createLeadership({ kube: { ...kube, find }, identity: 'a', timing, log: silentLog });
  leadership.onChange((isLeading) => told.push(isLeading));
  onTestFinished(() => leadership.stop());
  await leadership.start(signal);
  await eventually(() => leadership.isLeading());
  isAway = true;
  await eventually(() => !leadership.isLeading());
  expect(told).toEqual([true, false]);
  expect(leadership.health()).toMatchObject({ status: 'False', message: 'away' });
});

test('what the leader does is begun anew each time, and ended when another one leads', async () => {
  let isLeading = false;
  const changed = new Listeners<boolean>();
  const leadership = {
    isLeading: () => isLeading,
    onChange: (listener: (is: boolean) => void) => changed.add(listener),
  };
  const said: string[] = [];
  let made = 0;
  const make = (): Component => {
    const number = made++;
    return {
      ...task('servicelb', ['kube-apiserver'], async () => void said.push(`${number} begins`)),
      stop: async () => void said.push(`${number} ends`),
    };
  };
  const component = whileLeading(leadership, make, silentLog);
  const lead = (is: boolean) => {
    isLeading = is;
    changed.tell(is);
  };
  expect(component.after).toEqual(['kube-apiserver']);
  await component.start(signal);
  expect(component.health()).toMatchObject({ status: 'True', reason: 'Following' });
  lead(true);
  await eventually(() => said.length === 1);
  lead(false);
  await eventually(() => said.length === 2);
  lead(true);
  await eventually(() => said.length === 3);
  await component.stop();
  expect(said).toEqual(['1 begins', '1 ends', '2 begins', '2 ends']);
});
