import { join } from 'node:path';
import type { JoinOptions } from '../../src/agent/membership/membership.ts';
import { onTestFinished } from 'vitest';
import { createApi } from '../../src/server/api/api.ts';
import type { Api, ApiOptions } from '../../src/server/api/api.ts';
import { createJoinService, createWrongTokens, openTokens } from '../../src/server/join/join.ts';
import type { JoinServiceOptions, TokenStore } from '../../src/server/join/join.ts';
import { openRelease } from '../../src/server/release/release.ts';
import { openPki } from '../../src/server/pki/pki.ts';
import type { Pki } from '../../src/server/pki/pki.ts';
import { systemClock } from '../../src/shared/clock.ts';
import type { Clock } from '../../src/shared/clock.ts';
import { createEventLog } from '../../src/shared/events/events.ts';
import { silentLog } from '../../src/shared/log/log.ts';
import { pathsOf } from '../../src/shared/paths.ts';
import type { Paths } from '../../src/shared/paths.ts';
import type { ClusterSettings } from '../../src/shared/protocol/join.ts';
import { Secret } from '../../src/shared/secret.ts';
import { createProbes } from '../../src/server/probe/probe.ts';
import type { NodeIdentities } from '../../src/server/identity/identity.ts';
import { nodeIdentities } from './identities.ts';
import { memoryKeyValue } from './key-value.ts';
import { temporaryDir } from './temporary.ts';

export const clusterSettings: ClusterSettings = {
  clusterCidr: '10.42.0.0/16',
  serviceCidr: '10.43.0.0/16',
  clusterDns: '10.43.0.10',
  clusterDomain: 'cluster.local',
  flannelBackend: 'vxlan',
};

const serverAddress = { supervisorUrl: 'https://10.0.0.9:9345', apiserverUrl: 'https://10.0.0.9:6443' };

export interface JoinServiceChanges {
  /** The server token's. */
  readonly secret?: string;
  readonly kubernetesVersion?: string;
  readonly identities?: NodeIdentities;
  /** With that of another server it is one of the same cluster. */
  readonly dir?: string;
  readonly servers?: JoinServiceOptions['servers'];
  readonly clock?: Clock;
  /** By which certificates are made. */
  readonly pkiClock?: Clock;
  /** Told of every secret that is shown. */
  readonly onSecret?: (secret: string) => void;
}

/** What a join asks of a server, where a test is about something else. */
export async function joinServiceOptions(changes: JoinServiceChanges = {}) {
  const { secret = 's3cret', kubernetesVersion = 'v1.37.1', clock = systemClock, dir = temporaryDir() } = changes;
  const pki = await openPki(join(dir, 'tls'), changes.pkiClock);
  const store = memoryKeyValue();
  const files = pathsOf(dir).server;
  const opened = openTokens({
    ownNode: 's1',
    caHash: pki.serverCa.caHash,
    files,
    serverSecret: new Secret(secret),
    store,
    clock,
  });
  const tokens: Pick<TokenStore, 'find'> = {
    find(shown) {
      changes.onSecret?.(shown.reveal());
      return opened.find(shown);
    },
  };
  const options = {
    pki,
    tokens,
    identities: changes.identities ?? nodeIdentities({ store, clock }).identities,
    wrongTokens: createWrongTokens(clock),
    settings: clusterSettings,
    servers: changes.servers ?? { current: () => [serverAddress] },
    version: '1',
    kubernetesVersion,
    events: createEventLog({ keep: 10 }),
    log: silentLog,
    clock,
  } satisfies JoinServiceOptions;
  return { ...options, tokens: opened, joinService: createJoinService(options), store };
}

/** What a node says to join this server, with a data dir of its own unless one is given. */
export function nodeJoin(
  { url, tokens }: Pick<JoinServer, 'url' | 'tokens'>,
  node: { readonly nodeName: string; readonly address?: string; readonly paths?: Paths },
): JoinOptions {
  const { nodeName, address = '10.0.0.5', paths = pathsOf(temporaryDir()) } = node;
  const versions = { version: '1', kubernetesVersion: 'v1.37.1' };
  return { url, token: tokens.agentToken, nodeName, addresses: [address], paths, ...versions, log: silentLog };
}

export interface JoinServer {
  readonly api: Api;
  readonly pki: Pki;
  readonly tokens: TokenStore;
  readonly identities: Pick<NodeIdentities, 'names' | 'addresses'>;
  readonly url: string;
}

/** A server's API on a free port of loopback, until the test's end. */
export async function joinServer(
  options: JoinServiceChanges & {
    readonly sans?: readonly string[];
    readonly api?: Partial<ApiOptions>;
    /** What it hands out as its own executable. */
    readonly executable?: string;
    readonly extraDir?: string;
    readonly componentsDir?: string;
  } = {},
): Promise<JoinServer> {
  const { sans = ['127.0.0.1'] } = options;
  const { pki, tokens, identities, joinService } = await joinServiceOptions(options);
  const leaf = await pki.keepLeaf(pki.serverCa, {
    name: 'supervisor',
    commonName: 'kagent',
    dnsNames: ['localhost'],
    ipAddresses: sans,
    usages: ['server'],
  });
  const release = await openRelease({
    version: '1.2.3',
    executable: options.executable,
    extraDir: options.extraDir ?? '/nonexistent',
    componentsDir: options.componentsDir ?? '/nonexistent',
    workDir: temporaryDir(),
    trust: pki.serverCa.trust,
    log: silentLog,
  });
  const api = createApi({
    address: '127.0.0.1',
    port: 0,
    serverTrust: pki.serverCa.trust,
    clientTrust: pki.clientCa.trust,
    leaf,
    joinService,
    serverJoin: {
      files: () => ({ sealed: '' }),
      addMember: () => Promise.resolve({ members: '' }),
    },
    nodes: {
      connect: () => Promise.resolve(undefined),
      drain: () => Promise.resolve({ done: true, moved: 0, left: [] }),
    },
    tunnel: { accept: () => false },
    release,
    staticDir: '/nonexistent',
    probes: createProbes({ version: '1', servers: { current: () => [serverAddress] }, settings: clusterSettings }),
    isReady: () => true,
    after: [],
    log: silentLog,
    ...options.api,
  });
  await api.start(new AbortController().signal);
  onTestFinished(() => api.stop());
  return { api, pki, tokens, identities, url: `https://127.0.0.1:${api.port()}` };
}
