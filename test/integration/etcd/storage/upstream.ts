/**
 * kube-apiserver's own tests, as its authors publish them, with one file of theirs exchanged: the one that starts an etcd
 * starts a kagent datastore instead (testserver/test_server.go).
 */
import { cp } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { copyModule, runUpstream } from '../../../helpers/go-upstream.ts';
import type { Outcome } from '../../../helpers/go-upstream.ts';

const module = 'dist/test/apiserver';
const testserver = 'pkg/storage/etcd3/testserver/test_server.go';

export async function copyUpstream(): Promise<void> {
  await copyModule('k8s.io/apiserver', import.meta.dirname, module);
  const ours = join(import.meta.dirname, 'testserver/test_server.go');
  await cp(ours, resolve(import.meta.dirname, '../../../..', module, testserver));
}

/**
 * Upstream leaves these out itself, whatever store is below: its cache answers a list at revision 0 whole, without regard
 * to the limit.
 */
const skippedForEverybody =
  /--- SKIP: TestLists\/ListFromCacheSnapshot=(?:true|false)\/List\/test_List_with_limit_at_resource_version_0/;

/** `folder`: such as `pkg/storage/etcd3`. */
export const runStorageTests = (folder: string): Promise<Outcome> =>
  runUpstream({ module, folder, skippedForEverybody });
