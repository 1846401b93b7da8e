/** kine, which is an etcd to kube-apiserver and keeps everything in a database. */
import { once } from 'node:events';
import { chownSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Component, ComponentName } from '../../shared/component/component.ts';
import { makeFolder } from '../../shared/files/files.ts';
import { runPaths } from '../../shared/paths.ts';
import type { Secret } from '../../shared/secret.ts';
import { childEnvironment, processComponent } from '../../host/process/process.ts';
import type { Supervisor } from '../../host/process/process.ts';
import type { Account } from './account.ts';
import { giveDatastoreFiles } from './datastore-files.ts';
import type { DatastoreFiles } from './types.ts';

const name = 'kine';
/** It is kube-apiserver's user: who is that has what is in the datastore anyway. */
export const kineSocket = join(runPaths.kine, 'kine.sock');

export interface KineOptions {
  readonly supervisor: Supervisor;
  readonly binDir: string;
  readonly after: readonly ComponentName[];
  /** kube-apiserver's. */
  readonly account: Account;
  /** For people: `PostgreSQL at db.example:5432/kagent`. */
  readonly database: string;
  /** Where it is, with user and password. */
  readonly dataSource: Secret;
  readonly files: DatastoreFiles;
  readonly direct: readonly string[];
}

export function kineComponent(options: KineOptions): Component {
  const { supervisor, binDir, after, account, database, dataSource, files, direct } = options;
  return processComponent({
    name,
    after,
    supervisor,
    specify: async () => {
      makeFolder(runPaths.kine, 0o700);
      if (account.group !== undefined) chownSync(runPaths.kine, account.group, account.group);
      const given = Object.entries(giveDatastoreFiles(account, files));
      return {
        command: `./${name}`,
        cwd: binDir,
        args: [kineSocket],
        env: childEnvironment(name, {
          path: binDir,
          direct,
          extra: {
            // A command line is everybody's to read.
            KINE_ENDPOINT: dataSource.reveal(),
            ...Object.fromEntries(given.map(([kind, path]) => [`KINE_${kind.toUpperCase()}_FILE`, path])),
          },
        }),
        ready: (signal) => listens(database, signal),
        stopTimeoutMs: 4000,
        backoff: { minMs: 500, maxMs: 5000, stableAfterMs: 30_000 },
        securityContext: account.securityContext,
      };
    },
  });
}

/** It does when it has found its database and made its table. */
async function listens(database: string, signal: AbortSignal): Promise<void> {
  const socket = connect(kineSocket);
  try {
    await once(socket, 'connect', { signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new Error(`${database} has not answered it yet`, { cause });
  } finally {
    socket.destroy();
  }
}
