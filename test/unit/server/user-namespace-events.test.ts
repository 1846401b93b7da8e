import { expect, onTestFinished, test } from 'vitest';
import { KubeError } from '../../../src/kube/kube.ts';
import type { WatchEvent } from '../../../src/kube/kube.ts';
import { userNamespaceEvents } from '../../../src/server/user-namespace-events.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { fakeKube } from '../../helpers/fake-kube.ts';
import { eventually } from '../../helpers/wait.ts';

const pod = { kind: 'Pod', namespace: 'shop', name: 'web', uid: 'uid-1' };
const message =
  'Error: failed to create containerd task: failed to set MOUNT_ATTR_IDMAP on /var/lib/kubelet/pods/uid-1/volumes/kubernetes.io~projected/kube-api-access: invalid argument (maybe the filesystem used doesn’t support idmap mounts on this kernel?)';

/** What is made of these events of kubelet's, seen by one watch after the other. */
async function explained(...watches: readonly (readonly object[])[]) {
  const kube = fakeKube();
  const paths: string[] = [];
  const names = new Set<string>();
  const component = userNamespaceEvents({
    kube: {
      ...kube,
      find: <T>() => Promise.resolve({ status: { nodeInfo: { kernelVersion: '6.1.0-44-amd64' } } } as T),
      create(path, object) {
        const { name } = (object as { readonly metadata: { readonly name: string } }).metadata;
        if (names.has(name)) return Promise.reject(new KubeError(`POST ${path}`, 409, 'already exists'));
        names.add(name);
        return kube.create(path, object);
      },
      async *watch<T>(path: string) {
        const events = watches[paths.push(path) - 1] ?? [];
        for (const object of events) yield { type: 'ADDED', object } as WatchEvent<T>;
      },
    },
    nodeName: 's1',
    log: silentLog,
  });
  onTestFinished(() => component.stop());
  await component.start(new AbortController().signal);
  await eventually(() => paths.length > watches.length, { withinMs: 10_000 });
  await component.stop();
  return { created: kube.created, paths };
}

test('a Pod that its kernel cannot give a user namespace has an event that names the kernel and what helps', async () => {
  const { created, paths } = await explained([{ involvedObject: pod, message, source: { host: 'n1' } }]);
  expect(paths[0]).toBe('/api/v1/events?fieldSelector=reason=Failed');
  expect(created).toMatchObject([
    {
      path: '/api/v1/namespaces/shop/events',
      object: {
        involvedObject: pod,
        type: 'Warning',
        reason: 'KernelLacksIDMappedMounts',
        message: expect.stringMatching(
          /^the kernel of n1 \(6\.1\.0-44-amd64\) does not map user ids .*kube-api-access.*Linux 6\.3.*leave hostUsers: false out\.$/,
        ) as unknown,
      },
    },
  ]);
});

test('each attempt of the kubelet, and each new watch, tells of the same Pod: one event', async () => {
  const seen = { involvedObject: pod, message, source: { host: 'n1' } };
  expect((await explained([seen, seen], [seen])).created).toHaveLength(1);
});

test('other failures are left to their own words', async () => {
  const other = { involvedObject: pod, message: 'Failed to pull image "web:1"', source: { host: 'n1' } };
  expect((await explained([other])).created).toEqual([]);
});
