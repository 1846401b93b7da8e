/** What every long-running kagent does first on its box: check whether it is fit, take the data dir, prepare. */
import { assetComponents, findBundle } from '../host/assets/assets.ts';
import type { Bundle } from '../host/assets/assets.ts';
import type { Component } from '../shared/component/component.ts';
import { foreground } from '../cli/cli.ts';
import type { Foreground } from '../cli/cli.ts';
import { openDaemon } from '../host/daemon/daemon.ts';
import type { Daemon, DaemonStatus } from '../host/daemon/daemon.ts';
import { letThrough, makeFolder, writeFileIfChanged } from '../shared/files/files.ts';
import { openUndoLog } from '../host/undo-log/undo-log.ts';
import type { UndoLog } from '../host/undo-log/undo-log.ts';
import { pathsOf, runPaths } from '../shared/paths.ts';
import type { Paths } from '../shared/paths.ts';
import type { ClusterSettings } from '../shared/protocol/join.ts';
import { addTools } from '../host/process/process.ts';
import { serviceNameOf } from '../host/service/service.ts';
import { buildDate } from '../shared/version/version.ts';
import type { NodeConfig } from './config.ts';
import { examinedHost, quickChecks } from '../host/doctor/doctor.ts';
import type { HostPlan } from '../host/doctor/doctor.ts';
import { checkHost, hostAddresses, hostRoot, lastingPortProblems, prepareHost } from '../host/checks/checks.ts';
import type { HostFacts, NodeAddress, HostNeeds, HostProblem, PortNeed, WantedAddress } from '../host/checks/checks.ts';
import { untilKeptIsBack, wantedAddress, keepNodeId, nameNotes, wantedName } from './membership/membership.ts';
import type { NameOptions } from './membership/membership.ts';
import { claimFolders } from '../host/remove/remove.ts';

export interface HostOptions {
  readonly mode: DaemonStatus['mode'];
  readonly config: NodeConfig;
  readonly ports: HostNeeds['ports'];
  /** False on a server that runs no node of its own. */
  readonly runsNode: boolean;
  readonly flannelBackend: ClusterSettings['flannelBackend'];
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  /** Which an agent joins. */
  readonly serverUrl?: string | undefined;
}

/**
 * As service managers have it. Children inherit it, and with a stricter one of the shell that started kagent, containerd makes
 * folders that a container's own users cannot enter.
 */
const usualUmask = 0o022;

export const kubeletPort: PortNeed = { port: 10_250, purpose: 'kubelet' };

/** What the doctor is told of a box that `kagent server` or `kagent agent` would start on. */
export async function doctorPlan(options: HostOptions): Promise<HostPlan> {
  const { config, runsNode, flannelBackend } = options;
  const paths = pathsOf(config.dataDir);
  const wanted = await wantedAddress({ ...options, paths });
  return {
    ...options,
    needs: {
      dataDir: config.dataDir,
      builtAt: buildDate,
      ports: options.ports,
      flannelBackend: runsNode ? flannelBackend : undefined,
    },
    node: { nodeName: wantedName(config, paths), ...wanted },
    resolvConf: config.resolvConf,
  };
}

export interface OpenedHost {
  readonly paths: Paths;
  /** For what else is made outside the data dir. */
  readonly undoLog: UndoLog;
  readonly foreground: Foreground;
  readonly daemon: Daemon;
  readonly facts: HostFacts;
  /** What decides about its address, now and later. */
  readonly wantedAddress: WantedAddress;
  /** Unpack what is in the bundle; done at once if it is there. */
  readonly assets: readonly Component[];
  /** Where they are then: the path stays, what it leads to changes with the version. */
  readonly currentDir: string;
  /** Of the components: `v1.37.1`. */
  readonly kubernetesVersion: string;
  /** The full name of an image in the bundle: `pause`. */
  readonly image: (name: string) => string;
}

/** @throws {KagentError} the first of the host's problems, before anything on the box is changed */
export async function openHost(options: HostOptions): Promise<OpenedHost> {
  const { mode, config, runsNode, flannelBackend } = options;
  process.umask(usualUmask);
  const paths = pathsOf(config.dataDir);
  addTools(paths.bin);
  const fore = foregroundOf(config, paths);
  const plan = await doctorPlan(options);
  throwFirst(await checkHost({ ...plan.needs, ports: [] }));
  const undoLog = openUndoLog(paths.undoLog);
  const bundle = await bundleFor(config, paths, fore);
  claimFolders(undoLog, paths, runsNode ? undefined : []); // before openDaemon makes the first
  if (config.withNodeId) keepNodeId(paths);
  const nodeName = wantedName(config, paths);
  makeFolder(runPaths.dir, 0o755);
  letThrough(runPaths.dir); // runc goes through it as the user of a pod with a user namespace of its own
  const daemon = await openDaemon({
    mode,
    paths,
    statusSocket: runPaths.statusSocket,
    log: fore.log,
    nodeName,
    notifier: fore.notifier,
  });
  throwFirst(await lastingPortProblems(options.ports)); // after the left-over children of an earlier kagent have freed theirs
  for (const { check, what, why, fix } of await quickChecks(examinedHost(plan)))
    fore.log.warn('a check of the box has failed', { check, what, why, fix });
  await untilKeptIsBack(plan.node);
  const facts = await prepareHost({
    ...plan.node,
    nodeName,
    paths,
    undoLog,
    log: fore.log,
    flannelBackend,
    resolvConf: config.resolvConf,
    serviceName: serviceNameOf(process.env),
  });
  fore.log.info('the address of this node', { address: facts.nodeIp, interface: facts.defaultInterface });
  if (!runsNode) writeFileIfChanged(paths.server.address, `${facts.nodeIp}\n`, 0o644);
  return {
    paths,
    undoLog,
    foreground: fore,
    daemon,
    facts,
    wantedAddress: plan.node,
    assets: assetComponents({
      bundle,
      dataDir: paths.dataDir,
      first: mode === 'server' ? 'kubernetes' : 'containerd', // kube-apiserver takes longest to start; a node brings in images
      log: fore.log,
    }),
    currentDir: paths.components,
    kubernetesVersion: bundle.manifest.components.find((one) => one.name === 'kubernetes')?.version ?? '',
    image: (name) => imageNamed(bundle, name),
  };
}

function foregroundOf({ debug, logLevel, logFormat }: NodeConfig, paths: Paths): Foreground {
  return foreground({ logLevel: debug ? 'debug' : logLevel, logFormat, logDir: paths.logs });
}

function bundleFor(config: NodeConfig, { dataDir }: Paths, { log, signal }: Foreground): Promise<Bundle> {
  return findBundle({
    asked: config.bundle,
    env: process.env,
    dataDir,
    onFetch: ({ sizeBytes }, url) => log.info('fetching the components', { url, sizeBytes }),
    signal,
  });
}

function imageNamed(bundle: Bundle, name: string): string {
  const image = bundle.manifest.files.find((file) => file.name === `${name}.tar`)?.image;
  if (image === undefined) throw new TypeError(`the bundle has no image ${name}`);
  return image;
}

/** Where there was a choice, what it is and how to make another: in sentences. */
export function addressNotes({ nodeIp, defaultInterface }: NodeAddress, all = hostAddresses(hostRoot())) {
  const others = all.filter((one) => one.nodeIp !== nodeIp);
  if (others.length === 0) return [];
  const list = others.map((one) => `${one.nodeIp} (${one.defaultInterface})`).join(', ');
  return [
    `The address of this node is ${nodeIp} (${defaultInterface}); the host also has ${list}: --node-ip names another one.`,
  ];
}

/** What was chosen for this box without a word of its owner. */
export function hostNotes(facts: HostFacts, config: NameOptions): readonly string[] {
  return [...addressNotes(facts), ...nameNotes(facts.nodeName, config)];
}

function throwFirst(problems: readonly HostProblem[]): void {
  const [first] = problems;
  if (first !== undefined) throw first;
}
