/** The commands of a node alone: `agent`, and taking kagent off a box. */
import { Command } from 'commander';
import type * as z from 'zod';
import { print, settingsCommand, settingsOfHost, secretSetting } from '../cli/cli.ts';
import { KagentError } from '../shared/errors.ts';
import { usualRanges } from '../shared/protocol/join.ts';
import type { ClusterSettings } from '../shared/protocol/join.ts';
import { wrongUsageExitCode } from '../shared/exit-codes.ts';
import { silentLog } from '../shared/log/log.ts';
import { pathsOf } from '../shared/paths.ts';
import { addTools } from '../host/process/process.ts';
import { everyServiceManager, hostAt } from '../host/service/service.ts';
import { hostNotes, kubeletPort, openHost } from './open-host.ts';
import type { HostOptions } from './open-host.ts';
import { AgentConfig } from './config.ts';
import { nodeParts } from './node-parts.ts';
import { stopCommand } from './stop-command.ts';
import { runKillall, runUninstall } from '../host/remove/remove.ts';
import type { Outcome } from '../host/remove/remove.ts';

class JoinSettingMissingError extends KagentError {
  readonly code = 'CONFIG_JOIN_SETTING_MISSING';
  readonly fault = 'operator';
  override readonly exitCode = wrongUsageExitCode;

  constructor(name: string) {
    super(`an agent needs --${name}`, {
      remedy: "on the server 'kagent token join-command --installed' prints the whole line to type here",
    });
  }
}

export function agentCommand(known: readonly z.ZodObject[]): Command {
  return settingsCommand({
    name: 'agent',
    description: 'Join this box to a cluster as a node',
    schema: AgentConfig,
    known,
    run: runAgent,
  });
}

async function runAgent(config: AgentConfig): Promise<void> {
  const url = config.url ?? config.server;
  if (url === undefined) throw new JoinSettingMissingError('url');
  const token = secretSetting(config.token, config.tokenFile);
  if (token === undefined) throw new JoinSettingMissingError('token');
  const host = await openHost(agentPlan(config));
  const { createAgent } = await import('./agent.ts'); // other commands have no use for it
  let cluster = '';
  const notes = () => hostNotes(host.facts, config);
  const components = createAgent({
    ...host,
    ...host.daemon,
    config,
    log: host.foreground.log,
    setLogLevel: (level) => host.foreground.log.setLevel(level),
    server: { url, token },
    replace: config.replace,
    given: config,
    remembers: !config.disableOfflineBoot,
    ...(!config.disableApiserverLb && { balancerPort: config.lbServerPort }),
    after: { containerd: ['assets-containerd'], assets: ['assets'], server: [], apiserver: [] },
    onJoined: (settings) => void (cluster = clusterText(settings)),
    onFatal: host.daemon.fail,
  });
  await host.daemon.run([...host.assets, ...components], {
    signal: host.foreground.signal,
    onProgress: host.foreground.onProgress,
    onReady: () =>
      host.foreground.say(
        `${host.facts.nodeName} has joined the cluster at ${url} and is Ready.\n${cluster}${lines(notes())}`,
      ),
    notes,
  });
}

/** What an agent needs of its box. */
export function agentPlan(config: AgentConfig): HostOptions {
  return {
    mode: 'agent',
    config,
    ports: [
      kubeletPort,
      ...(config.disableApiserverLb ? [] : [{ port: config.lbServerPort, purpose: 'the load balancer' }]),
    ],
    runsNode: true,
    flannelBackend: config.flannelBackend ?? 'host-gw', // which needs least; the cluster's own is known after joining
    // An agent hears of others when it joins.
    clusterCidr: config.clusterCidr ?? usualRanges.clusterCidr,
    serviceCidr: config.serviceCidr ?? usualRanges.serviceCidr,
    serverUrl: config.url ?? config.server,
  };
}

function lines(sentences: readonly string[]): string {
  return sentences.map((sentence) => `${sentence}\n`).join('');
}

/** What this box took over from the cluster, for a person. */
function clusterText(settings: ClusterSettings): string {
  const { clusterCidr, serviceCidr, clusterDns, clusterDomain, flannelBackend } = settings;
  return `The cluster's pods are in ${clusterCidr}, its Services in ${serviceCidr}; DNS ${clusterDns} (${clusterDomain}), network ${flannelBackend}.\n`;
}

interface RemoveFlags {
  readonly dataDir?: string;
  readonly keepData?: boolean;
}

/** `stop`, `killall` and `uninstall`. */
export function removeCommands(): readonly Command[] {
  const dataDir = [
    '--data-dir <path>',
    "where kagent keeps its data (the running kagent's, or the installed service's)",
  ] as const;
  const shared = async (flags: RemoveFlags) => {
    const host = hostAt('/');
    const managers = everyServiceManager({ host });
    // What is removed is what was installed, and not what a variable of this shell may still say.
    const own = await settingsOfHost({ host, env: {} });
    const paths = pathsOf(flags.dataDir ?? own.dataDir);
    addTools(paths.bin);
    const snapshotDir = own.said('etcd-snapshot-dir');
    return {
      paths,
      host,
      managers,
      parts: nodeParts,
      log: silentLog,
      print,
      ...(snapshotDir !== undefined && { snapshotDir }),
    };
  };
  return [
    stopCommand(() => shared({}), conclude),
    new Command('killall')
      .description('Stop kagent, its components and every pod; files stay')
      .option(...dataDir)
      .action(async (flags: RemoveFlags) => conclude(await runKillall(await shared(flags)))),
    new Command('uninstall')
      .description('Remove kagent and everything it made from this box')
      .option(...dataDir)
      .option('--keep-data', 'keep the data dir, with the cluster in it')
      .action(async (flags: RemoveFlags) => {
        const keepData = flags.keepData ?? false;
        conclude(await runUninstall({ ...(await shared(flags)), keepData, executable: process.execPath }));
      }),
  ];
}

function conclude(outcome: Outcome): void {
  if (outcome.failed.length > 0) process.exitCode = 1;
}

/** Removing starts no service, so nobody waits for one. */
