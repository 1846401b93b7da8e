/** Two of three servers are lost for good: what is left, or a snapshot, becomes a cluster of one, to which others come anew. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { rfc3339, systemClock } from '../shared/clock.ts';
import { KagentError, messageOf } from '../shared/errors.ts';
import { etcdNameFile, etcdPeerUrl } from '../shared/etcd-member.ts';
import { wrongUsageExitCode } from '../shared/exit-codes.ts';
import { readFileIfExists, syncFolder, writeFileAtomicSync } from '../shared/files/files.ts';
import { run } from '../host/run.ts';
import { childEnvironment } from '../host/process/process.ts';
import { connectKeys } from '../datastore/datastore.ts';
import type { EtcdEndpoints } from '../datastore/datastore.ts';
import { forceNewCluster } from './control-plane/control-plane.ts';
import type { EtcdOptions } from './control-plane/control-plane.ts';
import { serversPrefix } from './cluster/cluster.ts';
import { hasData } from './etcd/etcd.ts';
import type { ServerPlan } from './plan.ts';

/** No failure: the process has done what it was started for, and ends. */
export class ClusterResetDoneError extends KagentError {
  readonly code = 'CLUSTER_RESET_DONE';
  readonly fault = 'operator';
  override readonly exitCode = 0;
  constructor(etcd: string) {
    super('the cluster has one server now, this one', {
      remedy: `start it without --cluster-reset; on each other server remove ${etcd}, and start it with --server and the address of this one`,
    });
  }
}

export class ClusterResetFailedError extends KagentError {
  readonly code = 'CLUSTER_RESET_FAILED';
  readonly fault = 'operator';
  constructor(reason: string, cause: unknown) {
    super(`the cluster was not reset: ${reason}`, {
      remedy: 'see logs/etcd.log in the data dir; nothing was removed',
      cause,
    });
  }
}

/** A service that has the flag would do it at each of its starts. */
export class ClusterResetAgainError extends KagentError {
  readonly code = 'CONFIG_CLUSTER_RESET';
  readonly fault = 'operator';
  override readonly exitCode = wrongUsageExitCode;
  constructor(when: string, file: string) {
    super(`the cluster was reset at ${when}, and --cluster-reset is still said`, {
      remedy: `start without it; to reset it once more remove ${file}`,
    });
  }
}

const doneFile = ({ db }: ServerPlan['paths']['server']) => join(db, 'cluster-reset');

/** @throws {ClusterResetAgainError} */
export function refuseSecondReset({ config, paths }: Pick<ServerPlan, 'config' | 'paths'>): void {
  const file = doneFile(paths.server);
  const when = readFileIfExists(file)?.trim();
  if (when === undefined) return;
  if (config.clusterReset) throw new ClusterResetAgainError(when, file);
  rmSync(file);
}

/** @throws {ClusterResetDoneError} always, if it does not fail @throws {ClusterResetFailedError} */
export async function resetEtcd(plan: ServerPlan, etcd: EtcdOptions, signal: AbortSignal): Promise<never> {
  const { config, paths, nodeName, log } = plan;
  try {
    const { clusterResetRestorePath: snapshot } = config;
    if (snapshot === undefined && !hasData(paths.server.etcd)) throw new Error('this server has no data of an etcd');
    if (snapshot !== undefined) await restore(plan, etcd, snapshot, signal);
    await forceNewCluster(etcd, (endpoints) => forgetOthers(endpoints, nodeName), signal);
  } catch (error) {
    signal.throwIfAborted();
    throw new ClusterResetFailedError(messageOf(error), error);
  }
  writeFileAtomicSync(doneFile(paths.server), `${rfc3339(systemClock.now())}\n`, 0o600);
  log.info('the cluster was reset', { member: etcd.memberName });
  throw new ClusterResetDoneError(paths.server.etcd);
}

/** The data of before stays beside it. */
async function restore(plan: ServerPlan, etcd: EtcdOptions, snapshot: string, signal: AbortSignal): Promise<void> {
  const { binDir, nodeIp, paths } = plan;
  const { dataDir, memberName } = etcd;
  const making = `${dataDir}.new`;
  rmSync(making, { recursive: true, force: true }); // of one that was broken off
  const args = ['--data-dir', making, '--name', memberName, '--peer-url', etcdPeerUrl(nodeIp), '--snapshot', snapshot];
  await run('./etcd-import', args, {
    cwd: binDir,
    env: childEnvironment('etcd', { path: binDir, direct: [] }),
    signal,
  });
  writeFileAtomicSync(etcdNameFile(making), `${memberName}\n`, 0o600);
  if (existsSync(dataDir)) renameSync(dataDir, `${dataDir}-before-${rfc3339(systemClock.now()).replaceAll(':', '')}`);
  renameSync(making, dataDir);
  await syncFolder(paths.server.db);
}

/** Nodes would go on trying them. */
async function forgetOthers(endpoints: EtcdEndpoints, own: string): Promise<void> {
  const keys = connectKeys(endpoints);
  try {
    const { entries } = await keys.list(serversPrefix);
    for (const key of entries.keys()) if (key !== serversPrefix + own) await keys.delete(key);
  } finally {
    await keys.close();
  }
}
