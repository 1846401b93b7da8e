import { expect, test } from 'vitest';
import { drainNode } from '../../../../src/server/nodes/drain.ts';
import { KubeError } from '../../../../src/kube/kube.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import { fakeNodes } from '../../../helpers/fake-nodes.ts';

interface FakePod {
  readonly name: string;
  readonly owner?: string;
  readonly mirror?: boolean;
  readonly phase?: string;
}

const podObject = ({ name, owner, mirror, phase = 'Running' }: FakePod) => ({
  metadata: {
    name,
    namespace: 'default',
    uid: name,
    ...(mirror === true && { annotations: { 'kubernetes.io/config.mirror': 'x' } }),
    ...(owner !== undefined && { ownerReferences: [{ kind: owner, controller: true }] }),
  },
  status: { phase },
});

/** A node with pods; an eviction takes the pod away unless `refuses` names it. */
function cluster(pods: readonly FakePod[], refuses: readonly string[] = []) {
  let here = pods.map(podObject);
  const patches: unknown[] = [];
  let node: unknown = { metadata: { name: 'a' } };
  const kube = {
    ...fakeNodes(),
    get: <T>(path: string) => Promise.resolve((path.startsWith('/api/v1/pods') ? { items: here } : node) as T),
    mergePatch(_path: string, patch: unknown) {
      patches.push(patch);
      return Promise.resolve({ metadata: { name: 'a' } });
    },
    create(path: string) {
      const name = path.split('/').at(-2) ?? '';
      if (refuses.includes(name)) return Promise.reject(new KubeError(`POST ${path}`, 429, 'the disruption budget'));
      here = here.filter(({ metadata }) => metadata.name !== name);
      return Promise.resolve({ metadata: { name } });
    },
  };
  const request = { run: 'one', timeoutMs: 200 };
  return {
    patches,
    left: () => here.map(({ metadata }) => metadata.name),
    setNode: (changed: unknown) => void (node = changed),
    drain: (signal = new AbortController().signal) =>
      drainNode({ kube, nodeName: 'a', request, log: silentLog }, signal),
  };
}

const cordoned = { metadata: { annotations: { 'kagent.sh/stopped-run': 'one' } }, spec: { unschedulable: true } };
const opened = { metadata: { annotations: { 'kagent.sh/stopped-run': null } }, spec: { unschedulable: null } };

test('pods that a controller makes anew are evicted; those of the node itself, and those nobody would make, stay', async () => {
  const { drain, left, patches } = cluster([
    { name: 'web', owner: 'ReplicaSet' },
    { name: 'agent', owner: 'DaemonSet' },
    { name: 'static', mirror: true },
    { name: 'alone' },
    { name: 'ended', owner: 'Job', phase: 'Succeeded' },
  ]);
  expect(await drain()).toEqual({
    done: true,
    moved: 1,
    left: [{ pod: 'default/alone', reason: 'no controller would recreate it elsewhere' }],
  });
  expect(left()).toEqual(['agent', 'static', 'alone', 'ended']);
  expect(patches).toEqual([cordoned]);
});

test('when time is over the node takes pods again, and what holds them is told', async () => {
  const { drain, patches } = cluster([{ name: 'web', owner: 'ReplicaSet' }], ['web']);
  const { done, moved, left } = await drain();
  expect({ done, moved }).toEqual({ done: false, moved: 0 });
  expect(left).toEqual([{ pod: 'default/web', reason: expect.stringContaining('the disruption budget') }]);
  expect(patches).toEqual([cordoned, opened]);
});

test('when who asked goes away meanwhile, the node takes pods again', async () => {
  const { drain, patches } = cluster([{ name: 'web', owner: 'ReplicaSet' }], ['web']);
  await expect(drain(AbortSignal.timeout(50))).rejects.toThrow('abort');
  expect(patches).toEqual([cordoned, opened]);
});

test('a node that somebody else has cordoned is left as it is, also when time is over', async () => {
  const { drain, patches, setNode } = cluster([{ name: 'web', owner: 'ReplicaSet' }], ['web']);
  setNode({ metadata: { name: 'a' }, spec: { unschedulable: true } });
  expect((await drain()).done).toBe(false);
  expect(patches).toEqual([]);
});
