/** Which datastore a server has: its own, one that somebody else keeps, or an etcd that it shares with other servers. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { task } from '../shared/component/component.ts';
import type { Component } from '../shared/component/component.ts';
import { readFileIfExists, readText, writeFileIfChanged } from '../shared/files/files.ts';
import { runPaths } from '../shared/paths.ts';
import { etcdAddress, etcdPeerUrl } from '../shared/etcd-member.ts';
import { ownNetworks } from '../shared/proxy/proxy.ts';
import { Secret } from '../shared/secret.ts';
import {
  connectMembers,
  datastoreComponent,
  DatastoreElsewhereError,
  DatastoreHereError,
  externalDatastore,
  parseEndpoint,
} from '../datastore/datastore.ts';
import type { DatastoreComponent, DatastoreEndpoint, EtcdEndpoints } from '../datastore/datastore.ts';
import { quotaOf } from './config.ts';
import { etcdComponent, kineComponent, kineSocket } from './control-plane/control-plane.ts';
import type {
  Accounts,
  DatastoreFiles,
  EtcdFiles,
  EtcdOfApiserver,
  EtcdOptions,
  InitialCluster,
} from './control-plane/control-plane.ts';
import { createEtcdMembers, hasData, isMember, keepFirstServer, openMember } from './etcd/etcd.ts';
import type { EtcdMembers, Member } from './etcd/etcd.ts';
import { takePlace } from './join-servers.ts';
import { moveToEtcd } from './move-to-etcd.ts';
import { refuseSecondReset, resetEtcd } from './reset-etcd.ts';
import type { Pki } from './pki/pki.ts';
import type { ServerPlan } from './plan.ts';

export interface ServerDatastore {
  readonly datastore: DatastoreComponent;
  /** What it needs on this box, and itself. */
  readonly datastoreParts: readonly Component[];
  readonly etcd: EtcdOfApiserver;
  /** Where snapshots are made of it; undefined where somebody else does that. */
  readonly saved?: string | EtcdEndpoints;
  /** Who else has it, where it is an etcd of this cluster's servers. */
  readonly members?: EtcdMembers;
  /** Renews certificates of its own. @returns the names of those that are new */
  readonly renew: () => Promise<readonly string[]>;
}

/** `own`: a file on this box, for one server. The others may have several servers. */
export type DatastoreKind = 'own' | 'others' | 'etcd';

/** What is on the disk decides; the settings decide about a new server. @throws {DatastoreElsewhereError}, {DatastoreHereError} */
export function datastoreKind({ config, paths }: Pick<ServerPlan, 'config' | 'paths'>): DatastoreKind {
  const { datastoreEndpoint, clusterInit, clusterReset, server } = config;
  const { place, db, etcd } = paths.server;
  const known = readFileIfExists(place)?.trim();
  refuseSecondReset({ config, paths });
  if (isMember(etcd)) {
    if (datastoreEndpoint === undefined) return 'etcd';
    throw new DatastoreHereError(`--datastore-endpoint names another datastore, ${nameOf(datastoreEndpoint)}`, etcd);
  }
  const isInFile = existsSync(join(db, 'store.db'));
  if (datastoreEndpoint !== undefined) {
    if (known === undefined && isInFile)
      throw new DatastoreHereError(`--datastore-endpoint names another datastore, ${nameOf(datastoreEndpoint)}`, db);
    return 'others';
  }
  if (known !== undefined) throw new DatastoreElsewhereError(known, place);
  if (clusterReset && isInFile) throw new DatastoreHereError('--cluster-reset is for a member of an etcd', db);
  if (!clusterInit && !clusterReset && server === undefined) return 'own';
  if (!isInFile || clusterInit) return 'etcd';
  throw new DatastoreHereError('--server is for a server without one', db);
}

/** The cluster is still in the server's own datastore. */
const isToMove = ({ db, etcd }: ServerPlan['paths']['server']) => !isMember(etcd) && existsSync(join(db, 'store.db'));

const nameOf = (endpoint: string) => parseEndpoint(new Secret(endpoint)).name;

/** @throws {DatastoreEndpointError} */
export async function datastoreOf(
  plan: ServerPlan,
  { kind, accounts, pki }: { readonly kind: DatastoreKind; readonly accounts: Accounts; readonly pki: Pki },
): Promise<ServerDatastore> {
  const { datastoreEndpoint = '' } = plan.config;
  if (kind === 'own') return ownDatastore(plan, accounts);
  if (kind === 'etcd') return await sharedEtcd(plan, pki);
  return othersDatastore(plan, accounts, parseEndpoint(new Secret(datastoreEndpoint)));
}

const nothingToRenew = async (): Promise<readonly string[]> => [];

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
  const address = `unix://${runPaths.datastoreSocket}`;
  const etcd = { servers: [address], files: {} };
  return { datastore, datastoreParts: [datastore], etcd, saved: address, renew: nothingToRenew };
}

async function sharedEtcd(plan: ServerPlan, pki: Pki): Promise<ServerDatastore> {
  const { config, paths, nodeName, nodeIp, log } = plan;
  const dir = paths.server.etcd;
  const member = await openMember({ pki, dir, nodeName, nodeIp });
  const { client } = member.leaves;
  const files = { ca: member.serverCa, cert: client.certFile, key: client.keyFile };
  const endpoints: EtcdEndpoints = { addresses: [etcdAddress], tls: contentsOf(files) };
  let initial: InitialCluster | undefined;
  const options: Omit<EtcdOptions, 'after'> = {
    supervisor: plan.supervisor,
    binDir: plan.binDir,
    dataDir: dir,
    memberName: member.name,
    nodeIp,
    files: filesOfMember(member),
    initial() {
      if (initial === undefined) throw new TypeError('etcd is after etcd-member');
      return initial;
    },
    quotaBytes: quotaOf(config.etcdArg),
    direct: directOf(plan),
  };
  const comesIn = task('etcd-member', ['assets'], async (signal, saysWait) => {
    initial = config.clusterReset ? alone(member, nodeIp, 'new') : await initialOf(plan, member, saysWait, signal);
    if (config.clusterReset) await resetEtcd(plan, { ...options, after: [] }, signal);
  });
  const etcd = etcdComponent({ ...options, after: [comesIn.name] });
  const datastore = externalDatastore({
    name: "this server's etcd",
    endpoints,
    after: [etcd.name],
    isUsed: false,
    onUsed() {},
    log,
  });
  const members = createEtcdMembers({ client: connectMembers(endpoints), ownName: member.name, log });
  return {
    datastore,
    datastoreParts: [comesIn, etcd, datastore, members],
    etcd: { servers: [etcdAddress], files },
    saved: endpoints,
    members,
    renew: () => member.renew(),
  };
}

const alone = ({ name }: Member, nodeIp: string, state: InitialCluster['state']): InitialCluster => ({
  members: `${name}=${etcdPeerUrl(nodeIp)}`,
  state,
});

/** A member that has data knows the others; etcd reads what it is told at its first start alone. */
async function initialOf(
  plan: ServerPlan,
  member: Member,
  saysWait: Parameters<typeof takePlace>[2],
  signal: AbortSignal,
): Promise<InitialCluster> {
  const { config, paths, nodeIp, log } = plan;
  const { name } = member;
  const peerUrl = etcdPeerUrl(nodeIp);
  if (isToMove(paths.server)) {
    saysWait('Moving', 'moves the cluster from its own datastore to an etcd');
    await moveToEtcd(plan, { name, peerUrl }, signal);
  }
  member.begin();
  if (hasData(paths.server.etcd)) return alone(member, nodeIp, 'existing');
  const url = keepFirstServer(paths.server.etcd, config.server);
  if (url === undefined) return alone(member, nodeIp, 'new');
  const token = plan.token ?? new Secret(readText(paths.server.token));
  return { members: await takePlace({ url, token, log }, { name, peerUrl }, saysWait, signal), state: 'existing' };
}

function filesOfMember({ serverCa, peerCa, leaves }: Member): EtcdFiles {
  return { serverCa, peerCa, ...leaves };
}

function othersDatastore(plan: ServerPlan, accounts: Accounts, endpoint: DatastoreEndpoint): ServerDatastore {
  const { config, log } = plan;
  const files = filesOf(config);
  const { place } = plan.paths.server;
  const used = {
    name: endpoint.name,
    isUsed: existsSync(place),
    onUsed: () => writeFileIfChanged(place, `${endpoint.name}\n`, 0o600),
  };
  if (endpoint.kind === 'etcd') {
    const endpoints = { addresses: endpoint.addresses, tls: contentsOf(files), isPlainAccepted: true };
    const datastore = externalDatastore({ ...used, endpoints, after: [], log });
    const etcd = { servers: endpoint.addresses, files };
    return { datastore, datastoreParts: [datastore], etcd, renew: nothingToRenew };
  }
  const kine = kineComponent({
    supervisor: plan.supervisor,
    binDir: plan.binDir,
    after: ['assets'], // not among those that are unpacked first
    account: accounts['kube-apiserver'],
    database: endpoint.name,
    dataSource: endpoint.dataSource,
    files,
    direct: directOf(plan),
  });
  const server = `unix://${kineSocket}` as const;
  const endpoints: EtcdEndpoints = { addresses: [server] };
  const datastore = externalDatastore({ ...used, endpoints, after: [kine.name], log });
  return {
    datastore,
    datastoreParts: [kine, datastore],
    etcd: { servers: [server], files: {} },
    renew: nothingToRenew,
  };
}

const directOf = ({ config, nodeName, nodeIp }: ServerPlan) => ownNetworks({ ...config, hosts: [nodeName, nodeIp] });

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
