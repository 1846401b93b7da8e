import type { Component, NotReady, ComponentName } from '../shared/component/component.ts';
import { task } from '../shared/component/component.ts';
import type { EventLog } from '../shared/events/events.ts';
import { readFileIfReadable } from '../shared/files/files.ts';
import { contains } from '../shared/ipv4/ipv4.ts';
import type { Log, LogLevel } from '../shared/log/log.ts';
import type { Paths } from '../shared/paths.ts';
import { processRun } from '../host/process/process.ts';
import type { Supervisor } from '../host/process/process.ts';
import type { Hello } from '../shared/protocol/channel.ts';
import { version } from '../shared/version/version.ts';
import { createChannel, createCommands, createLook, factsOf } from './channel/channel.ts';
import type { Channel } from './channel/channel.ts';
import type { NodeConfig } from './config.ts';
import type { Membership } from './membership/membership.ts';
import { portsInUse } from './network/network.ts';
import { Volumes } from './volumes/volumes.ts';
import type { PodProbes } from './network/network.ts';

export interface NodeChannelOptions {
  readonly after: readonly ComponentName[];
  readonly membership: Membership;
  readonly config: NodeConfig;
  readonly paths: Paths;
  readonly supervisor: Supervisor;
  readonly notReady: () => readonly NotReady[];
  readonly kubernetesVersion: string;
  readonly setLogLevel: (level: LogLevel) => void;
  /** The node was removed. */
  readonly onLeave: () => void;
  /** The server had forgotten this node, and has taken it in again. */
  readonly onJoinedAnew: () => Promise<void>;
  readonly podProbes: Pick<PodProbes, 'areOn' | 'probe'>;
  readonly log: Log;
}

/** The channel of this node: what it says of itself, and what it does when it is told. */
export function nodeChannel(options: NodeChannelOptions): Channel {
  const { after, membership, paths, supervisor, setLogLevel, log } = options;
  const volumes = new Volumes();
  return createChannel({
    after,
    supervisorUrls: () => membership.supervisorUrls,
    credentials: () => {
      const { serverCa, pairs } = membership.identity.files;
      return { caPath: serverCa, ...pairs.kubelet };
    },
    hello: () => helloOf(options),
    look: createLook({
      processes: () => supervisor.processes(),
      notReady: options.notReady,
      dataDir: paths.dataDir,
      certificatePaths: () => membership.certificatePaths,
    }),
    carryOut: createCommands({
      supervisor,
      logDir: paths.logs,
      setLogLevel,
      leave: options.onLeave,
      probe: (targets) => options.podProbes.probe(targets),
      volumes: { make: (volume) => volumes.make(volume), remove: (volume) => volumes.remove(volume) },
      portsInUse: (ports) => portsInUse(ports, [membership.facts.nodeIp, ...options.config.nodeExternalIp]),
    }),
    mayDial: (host) => host === membership.facts.nodeIp || contains(membership.settings.clusterCidr, host),
    onServers: (servers) => membership.heard(servers),
    // A server whose datastore is older than this node takes it in again, if its token is good.
    onNotJoined: async () => {
      try {
        await membership.joinAnew();
        await options.onJoinedAnew();
      } catch (error) {
        log.warn('the server does not know this node, and rejects it', { error });
      }
    },
    log,
  });
}

function helloOf({ membership, config, kubernetesVersion, podProbes }: NodeChannelOptions): Hello {
  return {
    type: 'hello',
    version,
    kubernetesVersion,
    machineId: readFileIfReadable('/etc/machine-id')?.trim() ?? '',
    bootId: readFileIfReadable('/proc/sys/kernel/random/boot_id')?.trim() ?? '',
    run: processRun(process.pid),
    internalIps: [membership.facts.nodeIp],
    externalIps: config.nodeExternalIp,
    internalDns: config.nodeInternalDns,
    externalDns: config.nodeExternalDns,
    facts: factsOf(),
    probesPods: podProbes.areOn(),
    tellsPortsInUse: true,
    keepsVolumes: true,
  };
}

/** What happens to a child is told to the server at once. */
export function heartbeatAtEvents(events: EventLog, channel: Channel): Component {
  const stopping = new AbortController();
  let work = Promise.resolve();
  return {
    ...task('heartbeats', ['channel', 'node-ready'], async () => {
      channel.heartbeatNow();
      work = (async () => {
        for await (const _ of events.follow(stopping.signal)) channel.heartbeatNow();
      })();
    }),
    async stop() {
      stopping.abort();
      await work;
    },
  };
}
