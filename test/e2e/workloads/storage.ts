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
}
