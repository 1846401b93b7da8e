/**
 * kube-apiserver's own tests, as its authors publish them, with one file of theirs exchanged: the one that starts an etcd
 * starts a kagent datastore instead (testserver/test_server.go). And one wait is longer.
 */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { copyModule, runUpstream } from '../../../helpers/go-upstream.ts';
import type { Outcome } from '../../../helpers/go-upstream.ts';

const module = 'dist/test/apiserver';
const testserver = 'pkg/storage/etcd3/testserver/test_server.go';

const compactTest = 'pkg/storage/etcd3/compact_test.go';
/** It gives a compaction 100 ms, which a machine that does something else needs longer for. */
const shortWait = `func waitForClockWaiters(t *testing.T, clock *testingclock.FakeClock) {
	t.Helper()
	for start := time.Now(); time.Since(start) < waitTimeout; {`;

export async function copyUpstream(): Promise<void> {
  await copyModule('k8s.io/apiserver', import.meta.dirname, module);
  const copy = resolve(import.meta.dirname, '../../../..', module);
  await cp(join(import.meta.dirname, 'testserver/test_server.go'), join(copy, testserver));
  const text = await readFile(join(copy, compactTest), 'utf8');
  if (text.split(shortWait).length !== 2) throw new Error(`${compactTest} waits in another way now`);
  await writeFile(
    join(copy, compactTest),
    text.replace(shortWait, shortWait.replace('waitTimeout', '100*waitTimeout')),
  );
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
