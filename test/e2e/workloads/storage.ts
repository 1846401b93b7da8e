import { expect, test } from 'vitest';
import type { Box } from '../../helpers/cluster.ts';
import { eventually } from '../../helpers/wait.ts';
import { manifest } from './manifests.ts';

export function storageStories(box: () => Box): void {
  const namespace = 'storage';
  const kubectl = (...args: readonly string[]) => box().kubectl('-n', namespace, ...args);
  const uid = () => kubectl('get', 'pod', 'data-0', '-o', 'jsonpath={.metadata.uid}');
  const starts = async () => (await kubectl('exec', 'data-0', '--', 'cat', '/data/starts')).trim().split('\n');

  test('a StatefulSet with a hostPath volume keeps its data when its pod dies', async () => {
    await box().kubectl('create', 'namespace', namespace);
    await box().apply(manifest('data'), '-n', namespace);
    await kubectl('rollout', 'status', 'statefulset/data', '--timeout=60s');
    const before = await starts();
    expect(before).toHaveLength(1);
    const firstUid = await uid();
    await kubectl('delete', 'pod', 'data-0');
    await eventually(async () => (await uid()) !== firstUid, { withinMs: 30_000, what: 'a new pod data-0' });
    await kubectl('wait', 'pod/data-0', '--for=condition=Ready', '--timeout=60s');
    const after = await starts();
    expect(after).toHaveLength(2);
    expect(after[0]).toBe(before[0]);
  });

  test('a claim gets a folder of the node, keeps its data, and the folder goes with the claim', async () => {
    await box().kubectl('create', 'namespace', 'claims');
    const inClaims = (...args: readonly string[]) => box().kubectl('-n', 'claims', ...args);
    await box().apply(manifest('claims'), '-n', 'claims');
    await inClaims('rollout', 'status', 'statefulset/db', '--timeout=90s');
    await inClaims('exec', 'db-1', '--', 'sh', '-c', 'echo kept >/data/file');
    await inClaims('delete', 'pod', 'db-1', '--wait');
    await inClaims('wait', 'pod/db-1', '--for=condition=Ready', '--timeout=60s');
    expect(await inClaims('exec', 'db-1', '--', 'cat', '/data/file')).toBe('kept\n');
    const folders = () => box().sh('ls /var/lib/kagent/storage');
    expect((await folders()).trim().split('\n')).toHaveLength(3);
    await inClaims('delete', 'statefulset,pvc', '--all', '--wait');
    await eventually(async () => (await folders()) === '', { withinMs: 30_000, what: 'the end of the folders' });
    expect(await box().kubectl('get', 'pv', '-o', 'name')).toBe('');
  });

  test('what a folder cannot be is refused with an event that says what to take instead', async () => {
    await box().kubectl('create', 'namespace', 'refused');
    await box().apply(sharedClaim, '-n', 'refused');
    const failures = ['events', '--field-selector', 'reason=ProvisioningFailed', '-o', 'jsonpath={.items[*].message}'];
    const said = await eventually(async () => (await box().kubectl('-n', 'refused', 'get', ...failures)) || undefined, {
      withinMs: 30_000,
      what: 'the event',
    });
    expect(said).toContain('access mode ReadWriteMany needs a file system that all nodes share');
  });
}

const sharedClaim = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: shared }
spec:
  accessModes: [ReadWriteMany]
  resources: { requests: { storage: 1Mi } }
---
apiVersion: v1
kind: Pod
metadata: { name: shares }
spec:
  containers: [{ name: shell, image: IMAGE, command: [sleep, '3600'], volumeMounts: [{ name: data, mountPath: /data }] }]
  volumes: [{ name: data, persistentVolumeClaim: { claimName: shared } }]
`;
