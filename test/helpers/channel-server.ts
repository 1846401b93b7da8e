import { onTestFinished } from 'vitest';
import { join } from '../../src/agent/membership/membership.ts';
import type { NodeIdentity } from '../../src/agent/membership/membership.ts';
import { createChannel } from '../../src/agent/channel/channel.ts';
import type { Channel, ChannelOptions } from '../../src/agent/channel/channel.ts';
import { alwaysLeading, ServerDirectory } from '../../src/server/cluster/cluster.ts';
import { createNodes, NodeRegistry } from '../../src/server/nodes/nodes.ts';
import type { Nodes } from '../../src/server/nodes/nodes.ts';
import { createTunnel } from '../../src/server/tunnel/tunnel.ts';
import type { Tunnel } from '../../src/server/tunnel/tunnel.ts';
import { systemClock } from '../../src/shared/clock.ts';
import { silentLog } from '../../src/shared/log/log.ts';
import { pathsOf } from '../../src/shared/paths.ts';
import type { Paths } from '../../src/shared/paths.ts';
import type { KeyValue } from '../../src/shared/key-value/key-value.ts';
import type { Heartbeat, Hello } from '../../src/shared/protocol/channel.ts';
import type { NodeIdentities } from '../../src/server/identity/identity.ts';
import { fakeNodes } from './fake-nodes.ts';
import type { FakeNodes } from './fake-nodes.ts';
import { nodeIdentities } from './identities.ts';
import { joinServer, nodeJoin } from './join-server.ts';
import type { JoinServer } from './join-server.ts';
import { memoryKeyValue } from './key-value.ts';
import { temporaryDir } from './temporary.ts';
import { join as joinPath } from 'node:path';

export interface ChannelServer extends JoinServer {
  readonly nodes: Nodes;
  /** Which servers there are. */
  readonly servers: ServerDirectory;
  readonly identities: NodeIdentities;
  readonly tunnel: Tunnel;
  readonly egressSocket: string;
  /** The cluster's Nodes, as the API has them. */
  readonly kube: FakeNodes;
  /** Gives a machine the identity of a node, with an address of its own: 10.0.0.5 for the first. */
  identity(nodeName: string, paths?: Paths, address?: string): Promise<NodeIdentity>;
}

/** A server's API with its rooms nodes/ and tunnel/ behind it, until the test's end. */
export async function channelServer(
  options: {
    /** Of another server of the same cluster. */
    readonly dir?: string;
    readonly store?: KeyValue;
    readonly name?: string;
  } = {},
): Promise<ChannelServer> {
  const { store = memoryKeyValue(), name = 's1', dir = temporaryDir() } = options;
  const registry = new NodeRegistry(systemClock);
  const { identities } = nodeIdentities({
    store,
    heardAtMs: (name) => registry.heardAtMs(name),
  });
  const own = { supervisorUrl: 'https://10.0.0.9:9345', apiserverUrl: 'https://10.0.0.9:6443' };
  const servers = new ServerDirectory(name, own, { supervisorPort: 9345, httpsListenPort: 6443 });
  const kube = fakeNodes();
  const egressSocket = joinPath(temporaryDir(), 'egress.sock');
  const nodes = createNodes({
    registry,
    kube,
    store,
    servers,
    identities,
    ownNode: undefined,
    leadership: alwaysLeading,
    log: silentLog,
  });
  identities.onAttempt((attempt) => nodes.nameClaimed(attempt));
  identities.onMoved((moved) => nodes.addressMoved(moved));
  const tunnel = createTunnel({
    socketPath: egressSocket,
    nodes: () => nodes.objects(),
    addresses: identities.addresses,
    session: (name) => nodes.session(name),
    ownNode: undefined,
    log: silentLog,
  });
  nodes.onStreamFailed(({ id, reason }) => tunnel.failed(id, reason));
  const known: string[] = [];
  const addressOf = (nodeName: string): string => {
    if (!known.includes(nodeName)) known.push(nodeName);
    const index = known.indexOf(nodeName);
    return index === 0 ? '10.0.0.5' : `10.0.1.${index}`;
  };
  const { signal } = new AbortController();
  await nodes.start(signal);
  await tunnel.start(signal);
  onTestFinished(async () => {
    await tunnel.stop();
    await nodes.stop();
  });
  const server = await joinServer({ identities, dir, api: { nodes, tunnel } });
  return {
    ...server,
    nodes,
    servers,
    identities,
    tunnel,
    egressSocket,
    kube,
    identity: (nodeName, paths = pathsOf(temporaryDir()), address = addressOf(nodeName)) =>
      join(nodeJoin(server, { nodeName, address, paths }), signal),
  };
}

export const hello: Hello = {
  type: 'hello',
  version: '1',
  kubernetesVersion: 'v1.37.1',
  machineId: 'one',
  bootId: 'first',
  internalIps: ['10.0.0.5'],
  externalIps: [],
  internalDns: [],
  externalDns: [],
  facts: { os: 'Debian', kernel: '6', arch: 'amd64', cpus: 4, memoryBytes: 1 },
};

export const seen: Omit<Heartbeat, 'type' | 'seq'> = {
  children: [{ name: 'kubelet', state: 'ready', restarts: 0 }],
  memory: { totalBytes: 2, availableBytes: 1 },
  disk: { path: '/', sizeBytes: 2, freeBytes: 1 },
  load1: 0.5,
  uptimeSeconds: 60,
  certificates: [],
};

/** An agent's channel, connected until the test's end. */
export async function agentChannel(
  identity: NodeIdentity,
  url: string,
  options: Partial<ChannelOptions> = {},
): Promise<Channel> {
  const { serverCa, pairs } = identity.files;
  const channel = createChannel({
    after: [],
    supervisorUrls: () => [url],
    credentials: () => ({ caPath: serverCa, ...pairs.kubelet }),
    hello: () => hello,
    look: () => Promise.resolve(seen),
    carryOut: (command) => Promise.resolve(`done: ${command.kind}`),
    mayDial: () => true,
    onServers: () => {},
    onNotJoined: () => Promise.resolve(),
    log: silentLog,
    ...options,
  });
  await channel.start(new AbortController().signal);
  onTestFinished(() => channel.stop());
  return channel;
}
