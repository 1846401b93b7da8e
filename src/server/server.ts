/**
 * @module
 * A server: builds the rooms and joins them, no logic of its own.
 *
 *   datastore ─▶ cluster-settings ─▶ node-identities ─▶ supervisor-api (nodes join and connect)
 *                node-identities ─▶ kube-apiserver ─▶ kube-controller-manager, kube-scheduler, manifests, nodes, own-node, user-namespace-events
 *   tunnel: how kube-apiserver reaches nodes and pods
 */
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { certificateTimer } from '../shared/certificates/certificates.ts';
import { systemClock } from '../shared/clock.ts';
import { task } from '../shared/component/component.ts';
import type { Component } from '../shared/component/component.ts';
import { runPaths } from '../shared/paths.ts';
import { ownNetworks } from '../shared/proxy/proxy.ts';
import { version } from '../shared/version/version.ts';
import { asksDatastore, snapshotDirOf, snapshotTimer } from '../datastore/datastore.ts';
import { addonComponents, addonManifests } from './addons/addons.ts';
import type { AddonContext, AddonSettings } from './addons/addons.ts';
import { createApi, localRoutes } from './api/api.ts';
import type { Api } from './api/api.ts';
import {
  alwaysLeading,
  createLeadership,
  createServers,
  forOneServer,
  forSeveralServers,
  keepClusterSettings,
  nodeCidrMaskSize,
  whileLeading,
} from './cluster/cluster.ts';
import type { Leadership } from './cluster/cluster.ts';
import { disabledOf, fileMode } from './config.ts';
import { createControlPlane, labelOwnNode } from './control-plane/control-plane.ts';
import type { ControlPlane } from './control-plane/control-plane.ts';
import { openFoundation } from './foundation.ts';
import type { Foundation } from './foundation.ts';
import { followIdentities } from './identity/identity.ts';
import { createJoinService, createServerJoin, createWrongTokens } from './join/join.ts';
import { createManifests } from './manifests/manifests.ts';
import { membersOf } from './members.ts';
import type { Members } from './members.ts';
import { planOf } from './plan.ts';
import type { ServerPlan } from './plan.ts';
import { policyManifests } from './policies/policies.ts';
import { createProbes } from './probe/probe.ts';
import { openRelease, ownExecutable } from './release/release.ts';
import type { Server, ServerOptions } from './types.ts';
import { userNamespaceEvents } from './user-namespace-events.ts';

export type { Server, ServerOptions } from './types.ts';

/** Makes what must be on disk before anything starts: CAs, certificates, tokens, kubeconfigs. */
export async function createServer(options: ServerOptions): Promise<Server> {
  const plan = planOf(options);
  const foundation = await openFoundation(plan);
  const { pki, tokens } = foundation;
  const controlPlane = await controlPlaneOf(plan, foundation);
  const leadership = foundation.isOwn ? undefined : leadershipOf(plan, controlPlane);
  const members = membersOf(plan, foundation, { controlPlane, leadership: leadership ?? alwaysLeading });
  const api = await apiOf(plan, foundation, members);
  const { local, advertised } = plan.reached;
  const joinUrl = advertised.supervisorUrl;
  const namesText = () => [...plan.names().dnsNames, ...plan.names().ipAddresses];
  return {
    components: componentsOf(plan, { ...foundation, ...members, controlPlane, leadership, api }),
    joinUrl,
    local,
    joinToken: tokens.agentToken,
    ownNodeToken: tokens.ownNodeToken,
    settings: plan.settings,
    notes: () => tokens.weaknesses(),
    localRequests: getRequestListener(
      localRoutes({ tokens, nodes: members.nodes, joinUrl, names: namesText, ...advertised, pki, log: plan.log }).fetch,
    ),
  };
}

function leadershipOf({ nodeName, log }: ServerPlan, { kube }: ControlPlane): Leadership & Component {
  return createLeadership({ kube, identity: nodeName, log });
}

function controlPlaneOf(
  plan: ServerPlan,
  { pki, accounts, extraArgs, etcd, isOwn }: Foundation,
): Promise<ControlPlane> {
  const { config, paths, supervisor, nodeName, nodeIp, tlsSans, binDir, isHardened } = plan;
  const { local, advertiseAddress } = plan.reached;
  return createControlPlane({
    ...config,
    advertiseAddress,
    tlsSans,
    supervisor,
    pki,
    paths,
    binDir,
    after: ['node-identities', ...plan.after.kubernetes],
    nodeCidrMaskSize: nodeCidrMaskSize(config),
    securePort: config.httpsListenPort,
    adminKubeconfig: {
      path: config.writeKubeconfig,
      mode: fileMode(config.writeKubeconfigMode),
      group: config.writeKubeconfigGroup,
    },
    egressSocket: runPaths.egressSocket,
    isHardened,
    metricsServer: !config.disable.includes('metrics-server'),
    ...(plan.ownNode !== undefined && { lastAfter: ['node-ready'] as const }),
    extraArgs,
    accounts,
    etcd,
    programFlags: isOwn ? forOneServer : forSeveralServers,
    log: plan.log,
    localUrl: local.apiserverUrl,
    direct: ownNetworks({ ...config, hosts: [nodeName, nodeIp, advertiseAddress] }),
    supervisorUrl: local.supervisorUrl,
  });
}

async function apiOf(plan: ServerPlan, foundation: Foundation, { identities, nodes, tunnel }: Members): Promise<Api> {
  const { config, paths, servers, settings, kubernetesVersion, events, log } = plan;
  const { pki, tokens, datastore, members, isOwn, supervisorLeaf } = foundation;
  const joinService = createJoinService({
    pki,
    tokens,
    identities,
    wrongTokens: createWrongTokens(systemClock),
    settings,
    servers,
    version,
    kubernetesVersion,
    events,
    log,
  });
  return createApi({
    address: config.bindAddress,
    port: config.supervisorPort,
    serverTrust: pki.serverCa.trust,
    clientTrust: pki.clientCa.trust,
    leaf: await supervisorLeaf(),
    nodes,
    tunnel,
    release: await openRelease({
      version,
      executable: ownExecutable(),
      extraDir: paths.server.release,
      componentsDir: plan.currentDir,
      workDir: paths.data,
      trust: pki.serverCa.trust,
      log,
    }),
    joinService,
    serverJoin: createServerJoin({ dir: paths.server.dir, members, isShared: !isOwn }),
    staticDir: paths.server.static,
    probes: createProbes({ version, servers, settings }),
    isReady: () => datastore.health().status === 'True',
    after: ['node-identities'],
    log,
  });
}

interface Rooms extends Foundation, Members {
  readonly controlPlane: ControlPlane;
  /** Undefined where there is one server. */
  readonly leadership: (Leadership & Component) | undefined;
  readonly api: Api;
}

function componentsOf(plan: ServerPlan, rooms: Rooms): readonly Component[] {
  const { config, paths, nodeName, settings, ownNode, log } = plan;
  const { datastore, datastoreParts, saved, identities, nodes, tunnel, controlPlane, leadership, api } = rooms;
  const { kube } = controlPlane;
  const kept = keepClusterSettings({ store: datastore.keys, kube, settings });
  return [
    ...datastoreParts,
    ...(leadership === undefined
      ? []
      : [leadership, serversOf(plan, rooms), followIdentities({ keys: datastore.keys, identities, log })]),
    kept.compared,
    task('node-identities', [kept.compared.name], async (_signal, saysWait) => {
      saysWait(...asksDatastore);
      await identities.load();
    }),
    api,
    tunnel,
    nodes,
    ...(config.etcdDisableSnapshots || saved === undefined ? [] : [datastoreSnapshots(plan, saved)]),
    ...controlPlane.components,
    kept.recorded,
    createManifests({
      after: [kept.recorded.name],
      kube,
      store: datastore.keys,
      nodeName,
      dir: paths.server.manifests,
      packaged: [
        ...policyManifests({ ...settings, networkPolicies: !config.disableNetworkPolicy }),
        ...addonManifests(addonSettings(plan, rooms)),
      ],
      disabled: disabledOf(config),
      log,
      events: plan.events,
    }),
    ...addonComponents(addonContext(plan, rooms), disabledOf(config), (make) =>
      leadership === undefined ? make() : whileLeading(leadership, make, log),
    ),
    userNamespaceEvents({ kube, nodeName, log }),
    ...(ownNode === undefined ? [] : [labelOwnNode({ kube, nodeName, isMember: rooms.members !== undefined, log })]),
    certificates(plan, rooms),
  ];
}

/** Who else is there: nodes are told, and whose Node goes is out. */
function serversOf({ servers, nodeName, reached, log }: ServerPlan, { datastore, members, nodes }: Rooms): Component {
  const known = createServers({
    keys: datastore.keys,
    directory: servers,
    own: { ...reached.advertised, name: nodeName },
    log,
  });
  nodes.onGone((name) => {
    if (name === nodeName || !servers.others().some((one) => one.name === name)) return;
    const gone = Promise.all([members?.removeServer(name), known.forget(name)]);
    gone.catch((error: unknown) => log.warn('a server was not taken out', { server: name, error }));
  });
  return known;
}

function addonSettings(plan: ServerPlan, { pki }: Rooms): AddonSettings {
  const { advertiseAddress } = plan.reached;
  return { ...plan.settings, advertiseAddress, serverCaPem: pki.serverCa.caPem, image: plan.image };
}

function addonContext(plan: ServerPlan, { nodes, controlPlane, pki }: Rooms): AddonContext {
  const { currentDir, image, nodeName, ownNode, paths, reached, log } = plan;
  const { kube, helm } = controlPlane;
  return {
    kube,
    nodes,
    nodeName,
    image,
    definitionsDir: join(currentDir, 'definitions'),
    afterStart: ownNode === undefined ? [] : ['node-ready'],
    localStoragePath: localStoragePath(plan),
    helm,
    staticDir: paths.server.static,
    supervisor: { url: reached.local.supervisorUrl, caPem: pki.serverCa.trust.pem },
    log,
  };
}

const localStoragePath = ({ config, paths }: ServerPlan) =>
  config.defaultLocalStoragePath ?? join(paths.dataDir, 'storage');

function certificates({ addresses, log }: ServerPlan, { controlPlane, supervisorLeaf, renew, api }: Rooms): Component {
  return certificateTimer({
    name: 'certificates',
    after: [],
    log,
    names: addresses,
    renew: async () => {
      const renewed = [...(await renew()), ...(await controlPlane.keepCertificates())];
      const { changed } = await supervisorLeaf();
      if (changed) api.reloadCertificate();
      return changed ? [...renewed, 'supervisor'] : renewed;
    },
  });
}

function datastoreSnapshots(
  { config, paths, nodeName, log }: ServerPlan,
  endpoint: NonNullable<Foundation['saved']>,
): Component {
  return snapshotTimer({
    endpoint,
    nodeName,
    dir: config.etcdSnapshotDir ?? snapshotDirOf(paths.server.db),
    storeDir: paths.server.db,
    baseName: config.etcdSnapshotName,
    schedule: config.etcdSnapshotScheduleCron,
    retention: config.etcdSnapshotRetention,
    log,
  });
}
