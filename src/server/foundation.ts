/** What a server's rooms stand on: its authorities, its programs' users, its datastore and its tokens. */
import type { DatastoreComponent } from '../datastore/datastore.ts';
import { auditDir, openAccounts } from './control-plane/control-plane.ts';
import type { Accounts, ExtraArgs } from './control-plane/control-plane.ts';
import { datastoreKind, datastoreOf } from './datastore.ts';
import type { ServerDatastore } from './datastore.ts';
import { takeServerFiles } from './join-servers.ts';
import { openTokens } from './join/join.ts';
import type { TokenStore } from './join/join.ts';
import { openPki } from './pki/pki.ts';
import type { Leaf, Pki } from './pki/pki.ts';
import type { ServerPlan } from './plan.ts';

export interface Foundation extends ServerDatastore {
  /** The datastore is a file on this box, and the cluster has one server. */
  readonly isOwn: boolean;
  readonly pki: Pki;
  readonly accounts: Accounts;
  readonly extraArgs: ExtraArgs;
  readonly tokens: TokenStore;
  /** The certificate of the supervisor's API, made anew when it is due or its names have changed. */
  readonly supervisorLeaf: () => Promise<Leaf>;
}

/** Makes what must be on disk before anything starts. */
export async function openFoundation(plan: ServerPlan): Promise<Foundation> {
  const { config, paths, token, log } = plan;
  const kind = datastoreKind(plan);
  const isOwn = kind === 'own';
  const { server: url } = config;
  if (url !== undefined) await takeServerFiles({ url, token, log }, paths.server.dir, plan.signal);
  const pki = await openPki(paths.server.tls);
  const extraArgs = {
    apiserver: config.kubeApiserverArg,
    controllerManager: config.kubeControllerManagerArg,
    scheduler: config.kubeSchedulerArg,
  };
  const accounts = openAccounts({
    extraArgs,
    securePort: config.httpsListenPort,
    haveLeases: !isOwn,
    ...(plan.isHardened && { auditDir: auditDir(paths.dataDir) }),
  });
  for (const [program, { isRootBecause }] of Object.entries(accounts))
    if (isRootBecause !== undefined) log.warn('a program runs as root', { component: program, reason: isRootBecause });
  for (const [program, { isShared }] of Object.entries(accounts))
    if (!isShared) log.info('a component is a process of its own', { component: program });
  const stored = await datastoreOf(plan, { kind, accounts, pki });
  return {
    isOwn,
    pki,
    accounts,
    extraArgs,
    ...stored,
    tokens: tokensOf(plan, pki, stored.datastore),
    supervisorLeaf: () =>
      pki.keepLeaf(pki.serverCa, { name: 'supervisor', commonName: 'kagent', usages: ['server'], ...plan.names() }),
  };
}

function tokensOf(
  { config, nodeName, paths, token, agentToken, events, log }: ServerPlan,
  pki: Pki,
  datastore: DatastoreComponent,
) {
  const tokens = openTokens({
    ownNode: nodeName,
    caHash: pki.serverCa.caHash,
    files: paths.server,
    store: datastore.keys,
    // Who has joined other servers has theirs.
    ...(token !== undefined && config.server === undefined && { serverSecret: token }),
    ...(agentToken !== undefined && { agentSecret: agentToken }),
  });
  for (const message of tokens.weaknesses()) {
    log.warn('a token is weak', { message });
    events.record({ type: 'Warning', reason: 'WeakToken', regarding: 'supervisor-api', message });
  }
  return tokens;
}
