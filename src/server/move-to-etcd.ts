/** A cluster in a server's own datastore becomes one in an etcd, to which other servers can come. */
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { rfc3339, systemClock } from '../shared/clock.ts';
import { KagentError, messageOf } from '../shared/errors.ts';
import { etcdNameFile } from '../shared/etcd-member.ts';
import { makeFolder, namesIn, syncFolder, writeFileAtomicSync } from '../shared/files/files.ts';
import { runDir } from '../shared/paths.ts';
import { run } from '../host/run.ts';
import { childEnvironment } from '../host/process/process.ts';
import { datastoreComponent, exportAll } from '../datastore/datastore.ts';
import type { Digest } from '../datastore/datastore.ts';
import type { ServerPlan } from './plan.ts';

export class MoveFailedError extends KagentError {
  readonly code = 'DATASTORE_MOVE_FAILED';
  readonly fault = 'operator';
  constructor(dir: string, reason: string, cause?: unknown) {
    super(`the cluster was not moved to an etcd, and ${dir} is as it was: ${reason}`, {
      remedy: 'start without --cluster-init to go on with it, or again to try once more',
      cause,
    });
  }
}

/**
 * Nothing of the old datastore changes until the etcd has all of it: etcd reads its own data back, and that has to be what was sent.
 * A start that is broken off leaves the old one, or the new one whole.
 * @throws {MoveFailedError}
 */
export async function moveToEtcd(
  { paths, binDir, log, onFatal }: ServerPlan,
  { name, peerUrl }: { readonly name: string; readonly peerUrl: string },
  signal: AbortSignal,
): Promise<void> {
  const { db, etcd } = paths.server;
  const making = `${etcd}.new`;
  const socketPath = join(runDir, 'datastore-move.sock');
  rmSync(making, { recursive: true, force: true }); // of a start that was broken off
  const from = datastoreComponent({ dir: db, socketPath, addonDir: join(paths.data, 'lib'), log, onFatal });
  try {
    await from.start(signal);
    const exported = exportAll(`unix://${socketPath}`);
    const args = ['--data-dir', making, '--name', name, '--peer-url', peerUrl];
    const made = await run('./etcd-import', args, {
      cwd: binDir,
      env: childEnvironment('etcd', { path: binDir, direct: [] }),
      input: exported.records,
      signal,
    });
    await exported.close();
    compare(exported.digest(), JSON.parse(made) as Digest);
    log.info('the cluster is in an etcd now', { ...exported.digest() });
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    throw error instanceof MoveFailedError ? error : new MoveFailedError(db, messageOf(error), error);
  } finally {
    await from.stop();
  }
  writeFileAtomicSync(etcdNameFile(making), `${name}\n`, 0o600);
  rmSync(etcd, { recursive: true, force: true });
  renameSync(making, etcd);
  await syncFolder(db);
  keepOld(db);
}

function compare(sent: Digest, read: Digest): void {
  if (sent.keys === read.keys && sent.sha256 === read.sha256) return;
  throw new Error(`etcd has ${read.keys} keys (${read.sha256}), and ${sent.keys} were sent (${sent.sha256})`);
}

/** Whoever is content with the new one removes it. */
function keepOld(db: string): void {
  const kept = join(db, `before-etcd-${rfc3339(systemClock.now()).replaceAll(':', '')}`);
  makeFolder(kept, 0o700);
  for (const file of namesIn(db)) if (file.startsWith('store.db')) renameSync(join(db, file), join(kept, file));
}
