/**
 * The agents of some hollow nodes, in one process: `node agents.ts URL TOKEN HOLLOW NAME…`, in a host of the lab.
 * Each node joins as a real one does, with a data dir, keys and a password of its own; then HOLLOW runs their kubelets,
 * and a line on stdout says so. Each keeps a channel to the server and sends its heartbeats. Runs until it is ended.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { createChannel, createLook, factsOf } from '../../src/agent/channel/channel.ts';
import { join } from '../../src/agent/membership/join.ts';
import { silentLog } from '../../src/shared/log/log.ts';
import { pathsOf } from '../../src/shared/paths.ts';
import { Secret } from '../../src/shared/secret.ts';
import { version } from '../../src/shared/version/version.ts';

const [, , url = '', token = '', hollow = '', ...names] = process.argv;
const ownAddress = networkInterfaces()['eth0']?.find(({ family }) => family === 'IPv4')?.address ?? '';
/** Each node has an address of its own, as boxes have: the 100th of the host's network for the first, and so on. */
const addressOf = (nodeName: string) => ownAddress.replace(/\d+$/, String(100 + Number(/\d+$/.exec(nodeName)?.[0])));
const living = new AbortController();

const nodes = [];
for (const nodeName of names) {
  const paths = pathsOf(`/var/lib/hollow/${nodeName}`);
  const kubernetesVersion = 'v1.37.1';
  const address = addressOf(nodeName);
  execFileSync('ip', ['address', 'add', `${address}/32`, 'dev', 'eth0']);
  const of = { url, token: new Secret(token), nodeName, addresses: [address], paths, version, kubernetesVersion };
  nodes.push(await join({ ...of, log: silentLog }, living.signal));
}

for (const { nodeName, files } of nodes) {
  const { serverCa, pairs } = files;
  const channel = createChannel({
    after: [],
    supervisorUrls: () => [url],
    credentials: () => ({ caPath: serverCa, ...pairs.kubelet }),
    hello: () => ({
      type: 'hello',
      version,
      kubernetesVersion: 'v1.37.1',
      machineId: nodeName,
      bootId: nodeName,
      internalIps: [addressOf(nodeName)],
      externalIps: [],
      internalDns: [],
      externalDns: [],
      facts: factsOf(),
    }),
    look: createLook({
      processes: () => [],
      notReady: () => [],
      dataDir: '/var/lib',
      certificatePaths: () => Object.values(pairs).map(({ certPath }) => certPath),
    }),
    carryOut: () => Promise.reject(new Error('a hollow node does nothing')),
    mayDial: () => false,
    onServers: () => {},
    onNotJoined: () => Promise.reject(new Error(`${nodeName} is not joined`)),
    log: silentLog,
  });
  await channel.start(living.signal);
}

const log = openSync(`/var/log/${names[0]}.log`, 'a');
const kubelets = spawn(
  hollow,
  nodes.map(({ nodeName, files }) => `${nodeName}=${files.kubeletKubeconfig}=${addressOf(nodeName)}`),
  { stdio: ['ignore', log, log] },
);
process.stdout.write('started\n');
const [code, signal] = (await once(kubelets, 'exit')) as [number | null, string | null];
throw new Error(`${hollow} ended with ${code ?? signal}: see /var/log/${names[0]}.log`);
