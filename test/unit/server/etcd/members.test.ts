import { expect, onTestFinished, test } from 'vitest';
import { createEtcdMembers, MemberWaitsError } from '../../../../src/server/etcd/etcd.ts';
import type { EtcdMember, MembersClient } from '../../../../src/datastore/datastore.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import { eventually } from '../../../helpers/wait.ts';

const peer = (host: string) => `https://${host}:2380`;

/** The members of an etcd; a learner is promoted when the test says that it has caught up. */
function etcd(...names: readonly string[]) {
  let nextId = 1n;
  const member = (host: string, name: string, isLearner: boolean): EtcdMember => ({
    id: nextId++,
    name,
    peerUrls: [peer(host)],
    clientUrls: [],
    isLearner,
  });
  const all = names.map((name) => member(name.split('-', 1).join(), name, false));
  const caughtUp = new Set<string>();
  const client: MembersClient = {
    list: () => Promise.resolve([...all]),
    async add(peerUrl) {
      if (all.some(({ isLearner }) => isLearner)) throw new Error('too many learner members in cluster');
      all.push({ ...member('', '', true), peerUrls: [peerUrl] });
      return [...all];
    },
    async promote(id) {
      const at = all.findIndex((one) => one.id === id);
      const one = all[at];
      if (one === undefined || !caughtUp.has(one.peerUrls.join()))
        throw new Error('can only promote a learner in sync');
      all[at] = { ...one, isLearner: false };
    },
    async remove(id) {
      all.splice(
        all.findIndex((one) => one.id === id),
        1,
      );
    },
    status: () => Promise.reject(new Error('not asked')),
    close: () => Promise.resolve(),
  };
  const startedAs = (host: string, name: string) => {
    const at = all.findIndex(({ peerUrls }) => peerUrls.includes(peer(host)));
    all[at] = { ...(all[at] as EtcdMember), name };
  };
  return { client, all, startedAs, catchUp: (host: string) => caughtUp.add(peer(host)) };
}

async function members({ client }: { readonly client: MembersClient }, patienceMs = 60_000) {
  const timing = { everyMs: 10, restMs: 60_000, patienceMs };
  const made = createEtcdMembers({ client, ownName: 's1-00000001', timing, log: silentLog });
  onTestFinished(() => made.stop());
  await made.start(new AbortController().signal);
  return made;
}

test('a server is let in without a vote, is told of all, and votes when it has caught up', async () => {
  const cluster = etcd('s1-00000001');
  const made = await members(cluster);
  expect(await made.add({ name: 's2-00000002', peerUrl: peer('s2') })).toBe(
    `s1-00000001=${peer('s1')},s2-00000002=${peer('s2')}`,
  );
  expect(cluster.all.map(({ isLearner }) => isLearner)).toEqual([false, true]);
  cluster.catchUp('s2');
  await eventually(() => cluster.all.every(({ isLearner }) => !isLearner));
});

test('who asks again before it has started is in already', async () => {
  const cluster = etcd('s1-00000001');
  const made = await members(cluster);
  const wanted = { name: 's2-00000002', peerUrl: peer('s2') };
  const first = await made.add(wanted);
  expect(await made.add(wanted)).toBe(first);
  expect(cluster.all).toHaveLength(2);
});

test('the next one waits while another has no vote, and comes in when that was given up', async () => {
  const cluster = etcd('s1-00000001');
  const made = await members(cluster, 100);
  await made.add({ name: 's2-00000002', peerUrl: peer('s2') });
  const third = { name: 's3-00000003', peerUrl: peer('s3') };
  await expect(made.add(third)).rejects.toThrow(MemberWaitsError);
  await eventually(() => made.add(third).then(() => true));
  expect(cluster.all.map(({ peerUrls }) => peerUrls[0])).toEqual([peer('s1'), peer('s3')]);
});

test('a server that has lost its disk takes the place that it had', async () => {
  const cluster = etcd('s1-00000001', 's2-00000002', 's3-00000003');
  const made = await members(cluster);
  const text = await made.add({ name: 's2-aaaaaaaa', peerUrl: peer('s2') });
  expect(text.split(',').toSorted()).toEqual([
    `s1-00000001=${peer('s1')}`,
    `s2-aaaaaaaa=${peer('s2')}`,
    `s3-00000003=${peer('s3')}`,
  ]);
  cluster.startedAs('s2', 's2-aaaaaaaa');
  expect(cluster.all.map(({ name }) => name)).not.toContain('s2-00000002');
});

test('a server that leaves is out, others with like names and this one itself are not', async () => {
  const cluster = etcd('s1-00000001', 's2-00000002', 's2-b-00000003');
  const made = await members(cluster);
  await made.removeServer('s2');
  await made.removeServer('s1');
  expect(cluster.all.map(({ name }) => name)).toEqual(['s1-00000001', 's2-b-00000003']);
});
