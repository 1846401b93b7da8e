/**
 * etcd's own tests of its client, as its authors publish them: the members of their clusters are real, but whoever connects
 * to one is handed on to a kagent datastore, one for the whole cluster (integration/kagent.go). Two lines of theirs are exchanged for it.
 */
import { appendFile, cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { copyModule, runUpstream } from '../../../helpers/go-upstream.ts';
import type { Outcome } from '../../../helpers/go-upstream.ts';

const module = 'dist/test/etcd-tests';
const copy = resolve(import.meta.dirname, '../../../..', module);
const framework = join(copy, 'framework/integration');

export async function copyUpstream(): Promise<void> {
  await copyModule('go.etcd.io/etcd/tests/v3', import.meta.dirname, module);
  await cp(join(import.meta.dirname, 'integration/kagent.go'), join(framework, 'kagent.go'));
  await exchange(join(framework, 'cluster.go'), 'go m.GRPCServer.Serve(m.GRPCListener)', 'serveKagent(m)');
  // It asks for the members as a client does, and the datastore knows of one alone.
  await exchange(
    join(framework, 'cluster.go'),
    /c\.WaitMembersMatch\(t, c\.ProtoMembers\(\)\)\n\tc\.waitVersion/,
    'c.waitVersion',
  );
  // Upstream builds with the other modules of its repository beside this one; here they are the published ones.
  await rm(join(copy, 'integration/cache_test.go')); // of a cache on top of the client, in a module of its own
  await exchange(join(copy, 'go.mod'), /^replace \([^)]*\)\n/m, '');
  await appendFile(join(copy, 'go.sum'), await readFile(join(import.meta.dirname, 'go.sum')));
}

async function exchange(path: string, theirs: string | RegExp, ours: string): Promise<void> {
  const text = await readFile(path, 'utf8');
  if (text.split(theirs).length !== 2) throw new Error(`${path} no longer has one ${theirs}`);
  await writeFile(path, text.replace(theirs, ours));
}

/** The folder `integration` holds tests of etcd's inside too; these are the ones of its gRPC API. */
const ofTheApi = '^Test(V3|KV|STM|Election|GRPC|TLS)';

/** `folder`: such as `integration/clientv3/lease`; `skip`: a pattern of tests that cannot apply. */
export const runClientTests = (folder: string, skip: string): Promise<Outcome> =>
  runUpstream({ module, folder, skip, ...(folder === 'integration' ? { run: ofTheApi } : {}) });
