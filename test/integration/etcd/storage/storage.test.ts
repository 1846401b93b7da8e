/** kube-apiserver's own tests of its storage have the last word on whether it can tell kagent's datastore from etcd. */
import { beforeAll, expect, test } from 'vitest';
import { copyUpstream, runStorageTests } from './upstream.ts';

/** On a new machine Go downloads and compiles first. */
const timeoutMs = 1_200_000;

beforeAll(copyUpstream, timeoutMs);

test.each([
  ['pkg/storage/etcd3', 70],
  ['pkg/storage/storagebackend/factory', 6],
  ['pkg/storage/cacher', 135],
])(
  "every test of kube-apiserver's %s passes, none is skipped",
  async (folder, count) => {
    const { passed, complaints } = await runStorageTests(folder);
    expect(complaints).toBe('');
    expect(passed).toBe(count);
  },
  timeoutMs,
);
