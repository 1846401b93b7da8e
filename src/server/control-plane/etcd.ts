/** This server's member of the etcd that several servers share. */
import type { Component, ComponentName } from '../../shared/component/component.ts';
import type { Flags } from '../../shared/arguments/arguments.ts';
import { etcdAddress, etcdPorts } from '../../shared/etcd-member.ts';
import { makeFolder, readText } from '../../shared/files/files.ts';
import { lookUntil } from '../../shared/look-until.ts';
import { strongCipherSuites } from '../../shared/tls-cipher-suites.ts';
import { connectMembers } from '../../datastore/datastore.ts';
import type { EtcdEndpoints } from '../../datastore/datastore.ts';
import { runToEnd } from '../../host/run.ts';
import { childEnvironment, processComponent } from '../../host/process/process.ts';
import type { Supervisor } from '../../host/process/process.ts';
import { answers, answersOk } from './readiness.ts';

const name = 'etcd';

/** Files of a certificate and its key. */
export interface EtcdPair {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface EtcdFiles {
  readonly serverCa: string;
  readonly peerCa: string;
  /** What it shows its clients. */
  readonly server: EtcdPair;
  /** What members show each other. */
  readonly peer: EtcdPair;
  /** What a client of it shows. */
  readonly client: EtcdPair;
}

/** Which members there are at its first start. */
export interface InitialCluster {
  /** `name=https://HOST:2380,…` */
  readonly members: string;
  /** `new`: it makes a cluster of its own. */
  readonly state: 'new' | 'existing';
}

export interface EtcdOptions {
  readonly supervisor: Supervisor;
  readonly binDir: string;
  readonly after: readonly ComponentName[];
  readonly dataDir: string;
  /** Of this member: another one each time the server joins. */
  readonly memberName: string;
  /** By which other servers reach it. */
  readonly nodeIp: string;
  readonly files: EtcdFiles;
  readonly initial: () => InitialCluster;
  /** 0: etcd's default of 2 GiB. */
  readonly quotaBytes: number;
  readonly direct: readonly string[];
}

export function etcdComponent(options: EtcdOptions): Component {
  const { supervisor, binDir, after, dataDir, files, direct } = options;
  const question = {
    url: `${etcdAddress}/livez`,
    ca: () => readText(files.serverCa),
    client: () => ({ cert: readText(files.client.certFile), key: readText(files.client.keyFile) }),
  };
  return processComponent({
    name,
    after,
    supervisor,
    specify: async () => {
      makeFolder(dataDir, 0o700);
      return {
        command: `./${name}`,
        cwd: binDir,
        args: argumentsOf(etcdFlags(options)),
        env: childEnvironment(name, { path: binDir, direct }),
        ready: answersOk(question),
        live: answers(question),
        stopTimeoutMs: 5000,
        backoff: { minMs: 200, maxMs: 10_000, stableAfterMs: 30_000 },
        securityContext: { allowPrivilegeEscalation: false },
      };
    },
  });
}

/**
 * Makes a cluster of one of what this member has, where the others are lost. `whenAlone` is called while it runs, with nobody
 * else at it. @throws with what etcd says
 */
export async function forceNewCluster(
  options: EtcdOptions,
  whenAlone: (endpoints: EtcdEndpoints) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { binDir, files, direct } = options;
  const { certFile, keyFile } = files.client;
  const tls = { ca: readText(files.serverCa), cert: readText(certFile), key: readText(keyFile) };
  const endpoints: EtcdEndpoints = { addresses: [etcdAddress], tls };
  const flags = { ...etcdFlags(options), 'force-new-cluster': 'true', 'listen-client-urls': etcdAddress };
  const over = new AbortController();
  const etcd = runToEnd(`./${name}`, argumentsOf(flags), {
    cwd: binDir,
    env: childEnvironment(name, { path: binDir, direct }),
    signal: AbortSignal.any([signal, over.signal]),
  });
  const ended = new AbortController();
  void etcd.then(() => ended.abort());
  const client = connectMembers(endpoints);
  try {
    const isAlone = async () => ((await client.list().catch(() => [])).length === 1 ? true : undefined);
    await lookUntil(isAlone, looks, ended.signal);
    await whenAlone(endpoints);
  } catch (error) {
    if (!ended.signal.aborted) throw error;
    throw new Error((await etcd).reason ?? 'etcd has ended', { cause: error });
  } finally {
    over.abort();
    await client.close();
    await etcd;
  }
}

const looks = { leastMs: 100, mostMs: 1000, timesLook: 2 };

const argumentsOf = (flags: Flags) => Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);

function etcdFlags({ dataDir, memberName, nodeIp, files, quotaBytes, initial }: EtcdOptions): Flags {
  const { members, state } = initial();
  const { client, peer } = etcdPorts;
  return {
    name: memberName,
    'data-dir': dataDir,
    'listen-client-urls': `${etcdAddress},https://${nodeIp}:${client}`,
    'advertise-client-urls': `https://${nodeIp}:${client}`,
    'listen-peer-urls': `https://${nodeIp}:${peer}`,
    'initial-advertise-peer-urls': `https://${nodeIp}:${peer}`,
    'initial-cluster': members,
    'initial-cluster-state': state,

    'cert-file': files.server.certFile,
    'key-file': files.server.keyFile,
    'trusted-ca-file': files.serverCa,
    'client-cert-auth': 'true',
    'peer-cert-file': files.peer.certFile,
    'peer-key-file': files.peer.keyFile,
    'peer-trusted-ca-file': files.peerCa,
    'peer-client-cert-auth': 'true',
    'tls-min-version': 'TLS1.2',
    'cipher-suites': strongCipherSuites.join(','),

    // A member is taken for gone after a second and a half: small disks, and networks of several sites, answer within that.
    'heartbeat-interval': '150',
    'election-timeout': '1500',
    'feature-gates': 'InitialCorruptCheck=true,CompactHashCheck=true',
    'quota-backend-bytes': String(quotaBytes),
    'log-level': 'warn',
    'log-outputs': 'stderr',
    'watch-progress-notify-interval': '5s',
  };
}
