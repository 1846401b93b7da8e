/**
 * @module
 * A server: builds the rooms and joins them, no logic of its own.
 *
 *   datastore ─▶ cluster-settings ─▶ node-identities ─▶ supervisor-api (nodes join and connect)
 *                node-identities ─▶ kube-apiserver ─▶ kube-controller-manager, kube-scheduler, manifests, nodes, own-node, user-namespace-events
 *   tunnel: kube-apiserver's way to nodes and pods
 */
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { certificateTimer } from '../shared/certificates/certificates.ts';
import { systemClock } from '../shared/clock.ts';
import { task, type Component } from '../shared/component/component.ts';
import type { LocalRequests } from '../host/daemon/daemon.ts';
import type { EventLog } from '../shared/events/events.ts';
import type { Log } from '../shared/log/log.ts';
import { runPaths, type Paths } from '../shared/paths.ts';
import type { Supervisor } from '../host/process/process.ts';
import type { ServerAddress } from '../shared/protocol/channel.ts';
import type { ClusterSettings } from '../shared/protocol/join.ts';
import { ownNetworks } from '../shared/proxy/proxy.ts';
import { Secret } from '../shared/secret.ts';
import { version } from '../shared/version/version.ts';
import { createApi, localRoutes } from './api/api.ts';
import { keepClusterSettings, clusterDnsOf, nodeCidrMaskSize, ownAddresses, serversFor } from './cluster/cluster.ts';
import { fileMode, quotaOf, type ServerOnlyConfig } from './config.ts';
import {
  apiserverNames,
  auditDir,
  createControlPlane,
  labelOwnNode,
  openAccounts,
} from './control-plane/control-plane.ts';
import { asksDatastore, datastoreComponent, snapshotDirOf, snapshotTimer } from '../datastore/datastore.ts';
import { createNodeIdentities } from './identity/identity.ts';
import { createJoinService, createWrongTokens, openTokens } from './join/join.ts';
import { createManifests } from './manifests/manifests.ts';
import { createNodes, NodeRegistry } from './nodes/nodes.ts';
import { openPki } from './pki/pki.ts';
import { createProbes } from './probe/probe.ts';
import { openRelease, ownExecutable } from './release/release.ts';
import { createTunnel } from './tunnel/tunnel.ts';
import { userNamespaceEvents } from './user-namespace-events.ts';

export interface ServerOptions {
  readonly config: ServerOnlyConfig;
  /** `--profile cis` */
  readonly isHardened: boolean;
  /** The operator's tokens, from a flag, a variable or a file. */
  readonly token: Secret | undefined;
  readonly agentToken: Secret | undefined;
  readonly paths: Paths;
  readonly supervisor: Supervisor;
  readonly events: EventLog;
  readonly log: Log;
  readonly corednsImage: () => string;
  readonly nodeName: string;
  readonly nodeIp: string;
  /** Every one by which this host may be reached, as it is now. */
  readonly addresses: () => readonly string[];
  /** `v1.37.1` */
  readonly kubernetesVersion: string;
  /** Where the unpacked components are: the path stays, what it leads to changes with the version. */
  readonly currentDir: string;
  /** Names of components outside that come first. */
  readonly after: { readonly assets: readonly string[] };
  /** Told of what no restart heals: a datastore that cannot write. */
  readonly onFatal: (error: unknown) => void;
}

export interface Server {
  readonly components: readonly Component[];
  /** How other boxes join. */
  readonly joinUrl: string;
  readonly joinToken: Secret;
  /** Where this host's own programs reach it. */
  readonly local: ServerAddress;
  /** How this box's own node joins. */
  readonly ownNodeToken: Secret;
  readonly settings: ClusterSettings;
  /** What its operator should know, in sentences. */
  readonly notes: () => readonly string[];
  /** What `kagent token`, `kagent node` and `kagent kubeconfig` ask. */
  readonly localRequests: LocalRequests;
}

/** Makes what must be on disk before anything starts: CAs, certificates, tokens, kubeconfigs. */
export async function createServer(options: ServerOptions): Promise<Server> {
  const { config, paths, supervisor, log, nodeIp, nodeName } = options;
  const settings: ClusterSettings = {
    clusterCidr: config.clusterCidr,
    serviceCidr: config.serviceCidr,
    clusterDns: clusterDnsOf(config),
    clusterDomain: config.clusterDomain,
    flannelBackend: config.flannelBackend,
    ...(config.disableKubeProxy && { disableKubeProxy: true }),
    ...(config.disable.includes('coredns') && { disableCoredns: true }),
  };
  const { local, advertised, advertiseAddress } = ownAddresses(config, nodeIp);
  const pki = await openPki(paths.server.tls);
  const tlsSans = () => [
    nodeName,
    nodeIp,
    new URL(local.apiserverUrl).hostname,
    ...options.addresses(),
    ...config.tlsSan,
  ];
  const names = () => apiserverNames({ ...config, advertiseAddress, tlsSans: tlsSans() });
  const binDir = join(options.currentDir, 'bin');
  const extraArgs = {
    apiserver: config.kubeApiserverArg,
    controllerManager: config.kubeControllerManagerArg,
    scheduler: config.kubeSchedulerArg,
  };
  const accounts = openAccounts({
    extraArgs,
    securePort: config.httpsListenPort,
    ...(options.isHardened && { auditDir: auditDir(paths.dataDir) }),
  });
  for (const [program, { isRootBecause }] of Object.entries(accounts))
    if (isRootBecause !== undefined) log.warn('a program runs as root', { component: program, reason: isRootBecause });
  const { group } = accounts['kube-apiserver'];
  const datastore = datastoreComponent({
    dir: paths.server.db,
    socketPath: runPaths.datastoreSocket,
    group,
    addonDir: join(paths.data, 'lib'),
    quotaBytes: quotaOf(config.etcdArg),
    log,
    onFatal: options.onFatal,
  });
  const tokens = openTokens({
    ownNode: nodeName,
    caHash: pki.serverCa.caHash,
    files: paths.server,
    store: datastore.keys,
    ...(options.token !== undefined && { serverSecret: options.token }),
    ...(options.agentToken !== undefined && { agentSecret: options.agentToken }),
  });
  for (const message of tokens.weaknesses()) {
    log.warn('a token is weak', { message });
    options.events.record({ type: 'Warning', reason: 'WeakToken', regarding: 'supervisor-api', message });
  }
  const controlPlane = await createControlPlane({
    ...config,
    advertiseAddress,
    tlsSans,
    supervisor,
    pki,
    paths,
    binDir,
    after: ['node-identities', ...options.after.assets],
    nodeCidrMaskSize: nodeCidrMaskSize(config),
    securePort: config.httpsListenPort,
    adminKubeconfig: {
      path: config.writeKubeconfig,
      mode: fileMode(config.writeKubeconfigMode),
      group: config.writeKubeconfigGroup,
    },
    egressSocket: runPaths.egressSocket,
    isHardened: options.isHardened,
    extraArgs,
    accounts,
    localUrl: local.apiserverUrl,
    direct: ownNetworks({ ...config, hosts: [nodeName, nodeIp, advertiseAddress] }),
    supervisorUrl: local.supervisorUrl,
  });
  const supervisorLeaf = () =>
    pki.keepLeaf(pki.serverCa, {
      name: 'supervisor',
      commonName: 'kagent',
      usages: ['server'],
      ...names(),
    });
  const namesText = () => [...names().dnsNames, ...names().ipAddresses];
  const ownNode = config.disableAgent ? undefined : nodeName;
  const joinUrl = advertised.supervisorUrl;
  const servers = (reachedAt: string | undefined) => serversFor(advertised, config, reachedAt);
  const registry = new NodeRegistry(systemClock);
  const identities = createNodeIdentities({
    store: datastore.keys,
    ownNode,
    heardAtMs: (name) => registry.heardAtMs(name),
    ownAddresses: () => [nodeIp, advertiseAddress, ...options.addresses()],
    ranges: settings,
    log,
  });
  identities.onRevoked((revoked) => controlPlane.revoke(revoked));
  const nodes = createNodes({
    kube: controlPlane.kube,
    store: datastore.keys,
    servers,
    registry,
    identities,
    ownNode,
    ...(config.flannelBackend !== 'none' && {
      podRanges: { clusterCidr: config.clusterCidr, nodeCidrMaskSize: nodeCidrMaskSize(config) },
    }),
    log,
  });
  identities.onAttempt((attempt) => nodes.nameClaimed(attempt));
  identities.onMoved((moved) => nodes.addressMoved(moved));
  const tunnel = createTunnel({
    socketPath: runPaths.egressSocket,
    group,
    nodes: () => nodes.objects(),
    addresses: identities.addresses,
    session: (name) => nodes.session(name),
    ownNode,
    log,
  });
  nodes.onStreamFailed(({ id, reason }) => tunnel.failed(id, reason));
  const api = createApi({
    address: config.bindAddress,
    port: config.supervisorPort,
    caPem: pki.serverCa.caPem,
    clientCaPem: pki.clientCa.caPem,
    leaf: await supervisorLeaf(),
    nodes,
    tunnel,
    release: await openRelease({
      version,
      executable: ownExecutable(),
      extraDir: paths.server.release,
      componentsDir: options.currentDir,
      caPem: pki.serverCa.caPem,
      log,
    }),
    joinService: createJoinService({
      pki,
      tokens,
      identities,
      wrongTokens: createWrongTokens(systemClock),
      settings,
      servers,
      version,
      kubernetesVersion: options.kubernetesVersion,
      events: options.events,
      log,
    }),
    probes: createProbes({ version, servers, settings }),
    isReady: () => datastore.health().status === 'True',
    after: ['node-identities'],
    log,
  });
  const kept = keepClusterSettings({ store: datastore.keys, kube: controlPlane.kube, settings });
  return {
    components: [
      datastore,
      kept.compared,
      task('node-identities', [kept.compared.name], async (_signal, saysWait) => {
        saysWait(...asksDatastore);
        await identities.load();
      }),
      api,
      tunnel,
      nodes,
      ...(config.etcdDisableSnapshots ? [] : [datastoreSnapshots(options)]),
      ...controlPlane.components,
      kept.recorded,
      createManifests({
        after: [kept.recorded.name],
        kube: controlPlane.kube,
        store: datastore.keys,
        nodeName,
        dir: paths.server.manifests,
        packaged: { ...settings, corednsImage: options.corednsImage() },
        disabled: config.disable,
        log,
        events: options.events,
      }),
      userNamespaceEvents({ kube: controlPlane.kube, nodeName, log }),
      ...(config.disableAgent ? [] : [labelOwnNode({ kube: controlPlane.kube, nodeName, log })]),
      certificateTimer({
        name: 'certificates',
        after: [],
        log,
        names: options.addresses,
        renew: async () => {
          const renewed = await controlPlane.keepCertificates();
          const { changed } = await supervisorLeaf();
          if (changed) api.reloadCertificate();
          return changed ? [...renewed, 'supervisor'] : renewed;
        },
      }),
    ],
    joinUrl,
    local,
    joinToken: tokens.agentToken,
    ownNodeToken: tokens.ownNodeToken,
    settings,
    notes: () => tokens.weaknesses(),
    localRequests: getRequestListener(
      localRoutes({ tokens, nodes, joinUrl, names: namesText, ...advertised, pki, log }).fetch,
    ),
  };
}

function datastoreSnapshots({ config, paths, nodeName, log }: ServerOptions): Component {
  return snapshotTimer({
    endpoint: `unix://${runPaths.datastoreSocket}`,
    nodeName,
    dir: config.etcdSnapshotDir ?? snapshotDirOf(paths.server.db),
    storeDir: paths.server.db,
    baseName: config.etcdSnapshotName,
    schedule: config.etcdSnapshotScheduleCron,
    retention: config.etcdSnapshotRetention,
    log,
  });
}
