/** Which datastore a command means: one that is served, by its address, or one on disk, by the settings of this box. */
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { print, settingsOfHost } from '../cli/cli.ts';
import { KagentError } from '../shared/errors.ts';
import { etcdAddress, etcdClientFiles, etcdNameFile } from '../shared/etcd-member.ts';
import { isThere, readText } from '../shared/files/files.ts';
import { grpcCodes } from '../shared/grpc/grpc.ts';
import { pathsOf, runPaths } from '../shared/paths.ts';
import { plainText } from '../shared/plain-text/plain-text.ts';
import { snapshotDirOf, storeDirOf } from './backup/backup.ts';
import { connectDatastore, EtcdCallError } from './client/client.ts';
import type { DatastoreClient, EtcdEndpoints } from './client/client.ts';

export class DatastoreNotServedError extends KagentError {
  readonly code = 'DATASTORE_NOT_SERVED';
  readonly fault = 'operator';
  constructor(endpoint: string, options: { readonly cause: unknown }) {
    super(`no datastore answers at ${endpoint}`, {
      ...options,
      remedy: 'start it (systemctl start kagent), or say where it is with --endpoint',
    });
  }
}

/** The cluster has one server, or its datastore is somebody else's. */
export class NoEtcdError extends KagentError {
  readonly code = 'DATASTORE_NO_ETCD';
  readonly fault = 'operator';
  constructor() {
    super('no server runs here that is a member of an etcd', {
      remedy: "run it on a server of a cluster of several; 'kagent datastore status' shows a datastore of its own",
    });
  }
}

/** What kagent knows of its own datastore alone. */
export class DatastoreIsEtcdError extends KagentError {
  readonly code = 'DATASTORE_IS_ETCD';
  readonly fault = 'operator';
  constructor(options: { readonly cause: unknown }) {
    super("this server's cluster is in an etcd, which does not answer this", {
      ...options,
      remedy: "ask it with 'kagent etcdctl'; 'kagent etcd-snapshot save' saves it",
    });
  }
}

export interface Where {
  /** That of this box unless said. */
  readonly endpoint?: string;
  readonly output?: string;
}

export function online(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--endpoint <url>', "unix://PATH or http://127.0.0.1:PORT (this server's own)")
    .option('-o, --output <form>', "'json' for programs");
}

/** @param use is told whether it is an etcd */
export async function connected<T>(
  where: Where,
  use: (client: DatastoreClient, isEtcd: boolean) => Promise<T>,
): Promise<T> {
  const endpoint = where.endpoint ?? (await ownEndpoint());
  const isEtcd = typeof endpoint !== 'string';
  const client = connectDatastore(endpoint);
  try {
    return await answered(client, isEtcd ? endpoint.addresses.join() : endpoint, () => use(client, isEtcd));
  } catch (error) {
    if (isEtcd && error instanceof EtcdCallError && error.grpcCode === grpcCodes.unimplemented) {
      throw new DatastoreIsEtcdError({ cause: error });
    }
    throw error;
  }
}

/** Closes the client afterwards. @throws {DatastoreNotServedError} where nothing answers at `address` */
export async function answered<T>(
  client: { close(): Promise<void> },
  address: string,
  ask: () => Promise<T>,
): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof EtcdCallError) || !error.isConnectionLost) throw error;
    throw new DatastoreNotServedError(address, { cause: error });
  } finally {
    await client.close();
  }
}

/** Of the server on this box: its own datastore's, or that of its member of an etcd. */
const ownEndpoint = async () => (await ownEtcd()) ?? `unix://${runPaths.datastoreSocket}`;

/** This server's member, with what is shown there; undefined where it is none. */
export async function ownEtcd(): Promise<EtcdEndpoints | undefined> {
  const { dataDir } = await settingsOfHost({ mode: 'server' });
  const { etcd, tls } = pathsOf(dataDir).server;
  if (!isThere(etcdNameFile(etcd))) return undefined;
  const { ca, cert, key } = etcdClientFiles(tls);
  return {
    addresses: [etcdAddress],
    tls: { ca: readText(ca), cert: readText(cert), key: readText(key) },
  };
}

export interface PlaceFlags {
  readonly dataDir?: string;
  readonly etcdSnapshotDir?: string;
}

export function offline(name: string, description: string): Command {
  return withPlace(new Command(name).description(description));
}

export function withPlace(command: Command): Command {
  return command
    .option('--data-dir <dir>', "kagent's data dir, or that of `datastore serve` (as configured on this box)")
    .option('--etcd-snapshot-dir <dir>', 'where its snapshots are (as configured on this box)');
}

export interface Place {
  readonly storeDir: string;
  readonly snapshotDir: string;
}

/** Says on stderr which data dir that is and who says so, since it decides what is read or replaced. */
export async function placeOf(flags: PlaceFlags): Promise<Place> {
  const box = await settingsOfHost({ mode: 'server' });
  const dataDir = resolve(flags.dataDir ?? box.dataDir);
  const storeDir = storeDirOf(dataDir);
  // Of another data dir than the box's own it is not known.
  const said = dataDir === box.dataDir ? box.said('etcd-snapshot-dir') : undefined;
  const source = flags.dataDir === undefined ? box.source : '--data-dir';
  process.stderr.write(plainText(`data dir ${dataDir} (set by ${source})\n`));
  return { storeDir, snapshotDir: resolve(flags.etcdSnapshotDir ?? said ?? snapshotDirOf(storeDir)) };
}

export function json(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

export function count(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
