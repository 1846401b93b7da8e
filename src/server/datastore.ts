/** Which datastore a server has: its own, or one that somebody else keeps. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Component } from '../shared/component/component.ts';
import { readFileIfExists, readText, writeFileIfChanged } from '../shared/files/files.ts';
import { runPaths } from '../shared/paths.ts';
import { ownNetworks } from '../shared/proxy/proxy.ts';
import { Secret } from '../shared/secret.ts';
import {
  datastoreComponent,
  DatastoreElsewhereError,
  DatastoreHereError,
  externalDatastore,
  parseEndpoint,
} from '../datastore/datastore.ts';
import type { DatastoreComponent, DatastoreEndpoint, EtcdEndpoints } from '../datastore/datastore.ts';
import { quotaOf } from './config.ts';
import { kineComponent, kineSocket } from './control-plane/control-plane.ts';
import type { Accounts, DatastoreFiles, EtcdOfApiserver } from './control-plane/control-plane.ts';
import type { ServerPlan } from './plan.ts';

export interface ServerDatastore {
  readonly datastore: DatastoreComponent;
  /** What it needs on this box, and itself. */
  readonly datastoreParts: readonly Component[];
  readonly etcd: EtcdOfApiserver;
  /** It is a file on this box. */
  readonly isOwn: boolean;
}

/** @throws {DatastoreEndpointError}, {DatastoreElsewhereError}, {DatastoreHereError} */
export function datastoreOf(plan: ServerPlan, accounts: Accounts): ServerDatastore {
  const { datastoreEndpoint } = plan.config;
  const { place, db } = plan.paths.server;
  const known = readFileIfExists(place)?.trim();
  if (datastoreEndpoint === undefined) {
    if (known !== undefined) throw new DatastoreElsewhereError(known, place);
    return ownDatastore(plan, accounts);
  }
  const endpoint = parseEndpoint(new Secret(datastoreEndpoint));
  if (known === undefined && existsSync(join(db, 'store.db'))) throw new DatastoreHereError(endpoint.name, db);
  return othersDatastore(plan, accounts, { endpoint, isUsed: known !== undefined });
}

function ownDatastore({ config, paths, log, onFatal }: ServerPlan, accounts: Accounts): ServerDatastore {
  const datastore = datastoreComponent({
    dir: paths.server.db,
    socketPath: runPaths.datastoreSocket,
    group: accounts['kube-apiserver'].group,
    addonDir: join(paths.data, 'lib'),
    quotaBytes: quotaOf(config.etcdArg),
    log,
    onFatal,
  });
  const etcd = { servers: [`unix://${runPaths.datastoreSocket}`], files: {} };
  return { datastore, datastoreParts: [datastore], etcd, isOwn: true };
}

interface OthersDatastore {
  readonly endpoint: DatastoreEndpoint;
  /** This server had a cluster in one. */
  readonly isUsed: boolean;
}

function othersDatastore(plan: ServerPlan, accounts: Accounts, { endpoint, isUsed }: OthersDatastore): ServerDatastore {
  const { config, log } = plan;
  const files = filesOf(config);
  const { place } = plan.paths.server;
  const used = {
    name: endpoint.name,
    isUsed,
    onUsed: () => writeFileIfChanged(place, `${endpoint.name}\n`, 0o600),
  };
  if (endpoint.kind === 'etcd') {
    const endpoints = { addresses: endpoint.addresses, tls: contentsOf(files), isPlainAccepted: true };
    const datastore = externalDatastore({ ...used, endpoints, after: [], log });
    return { datastore, datastoreParts: [datastore], etcd: { servers: endpoint.addresses, files }, isOwn: false };
  }
  const kine = kineComponent({
    supervisor: plan.supervisor,
    binDir: plan.binDir,
    after: ['assets'], // not among those that are unpacked first
    account: accounts['kube-apiserver'],
    database: endpoint.name,
    dataSource: endpoint.dataSource,
    files,
    direct: ownNetworks({ ...config, hosts: [plan.nodeName, plan.nodeIp] }),
  });
  const server = `unix://${kineSocket}` as const;
  const endpoints: EtcdEndpoints = { addresses: [server] };
  const datastore = externalDatastore({ ...used, endpoints, after: [kine.name], log });
  return { datastore, datastoreParts: [kine, datastore], etcd: { servers: [server], files: {} }, isOwn: false };
}

function filesOf({ datastoreCafile, datastoreCertfile, datastoreKeyfile }: ServerPlan['config']): DatastoreFiles {
  return {
    ...(datastoreCafile !== undefined && { ca: datastoreCafile }),
    ...(datastoreCertfile !== undefined && { cert: datastoreCertfile }),
    ...(datastoreKeyfile !== undefined && { key: datastoreKeyfile }),
  };
}

function contentsOf(files: DatastoreFiles): DatastoreFiles {
  return Object.fromEntries(Object.entries(files).map(([kind, path]) => [kind, readText(path)]));
}
