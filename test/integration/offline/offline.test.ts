/** The memory and its answers over true TLS connections, with a server that is there, goes, and comes back. */
import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import { Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createLoadBalancer } from '../../../src/agent/load-balancer/load-balancer.ts';
import type { KubeObject } from '../../../src/kube/kube.ts';
import { createOffline } from '../../../src/agent/offline/offline.ts';
import type { Offline } from '../../../src/agent/offline/offline.ts';
import { openPki } from '../../../src/server/pki/pki.ts';
import type { Leaf, Pki } from '../../../src/server/pki/pki.ts';
import { createKeyPem } from '../../../src/shared/certificates/certificates.ts';
import type { Component } from '../../../src/shared/component/component.ts';
import { httpsAgent, httpRequest, openHttp } from '../../../src/shared/http/http.ts';
import { parseJson } from '../../../src/shared/json/json.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { temporaryDir } from '../../helpers/temporary.ts';
import { eventually } from '../../helpers/wait.ts';

/** Programs in Go refuse a whole list where one such number is rounded up. */
const longest = parseJson('9223372036854775807');

const pod = (name: string, secretName: string): KubeObject => ({
  metadata: { name, namespace: 'default', uid: `uid-${name}`, resourceVersion: '11' },
  spec: { nodeName: 'a1', terminationGracePeriodSeconds: longest, volumes: [{ name: 'v', secret: { secretName } }] },
});
const secret = (name: string): KubeObject => ({
  metadata: { name, namespace: 'default', resourceVersion: '12' },
  data: { password: 'a2VwdA==' },
});

interface World {
  readonly pki: Pki;
  readonly dir: string;
  readonly leaves: Readonly<Record<'kubelet' | 'kubeProxy' | 'flannel' | 'stranger', Leaf>>;
  readonly offline: Offline;
  /** By path without the query; what is not there is 404. */
  readonly api: Map<string, unknown>;
  readonly asked: string[];
  /** Sends an event to whoever watches pods. */
  tellPods(): void;
  startServer(port?: number): Promise<string>;
  stopServer(): Promise<void>;
  remember(url: string): Promise<Component>;
}

async function world(): Promise<World> {
  const dir = temporaryDir();
  const pki = await openPki(join(dir, 'tls'));
  const leaf = (name: string, commonName: string) =>
    pki.keepLeaf(pki.clientCa, { name, commonName, usages: ['client'] });
  const leaves = {
    kubelet: await leaf('kubelet', 'system:node:a1'),
    kubeProxy: await leaf('kube-proxy', 'system:kube-proxy'),
    flannel: await leaf('flannel', 'system:kagent:flannel:a1'),
    stranger: await leaf('stranger', 'system:admin'),
  };
  const files = ({ certFile, keyFile }: Leaf) => ({ certPath: certFile, keyPath: keyFile });
  const offline = createOffline({
    dir: join(dir, 'offline'),
    nodeName: 'a1',
    kubernetesVersion: 'v1.37.1',
    caHash: () => 'this-cluster',
    clientCaPath: () => pki.clientCa.certFile,
    credentials: () => ({
      kubelet: files(leaves.kubelet),
      kubeProxy: files(leaves.kubeProxy),
      flannel: files(leaves.flannel),
    }),
    log: silentLog,
  });
  const list = (...items: readonly KubeObject[]) => ({ metadata: { resourceVersion: '20' }, items });
  const api = new Map<string, unknown>([
    ['/api/v1/nodes', list({ metadata: { name: 'a1', resourceVersion: '9' }, status: { nodeInfo: {}, images: [{}] } })],
    ['/api/v1/pods', list(pod('web', 's'))],
    ['/api/v1/services', list()],
    ['/apis/discovery.k8s.io/v1/endpointslices', list()],
    ['/api/v1/namespaces/default/secrets/s', secret('s')],
    ['/version', {}],
  ]);
  const asked: string[] = [];
  let server: Server | undefined;
  const watchers = new Set<ServerResponse>();

  const key = createKeyPem();
  const names = { commonName: 'api', ipAddresses: ['127.0.0.1'], usages: ['server' as const] };
  const { certPem } = await pki.serverCa.issue({ ...names, publicKey: createPublicKey(key) });
  const stopServer = async () => {
    const stopped = server;
    server = undefined;
    stopped?.closeAllConnections();
    if (stopped !== undefined) await new Promise((resolve) => stopped.close(resolve));
  };
  onTestFinished(stopServer);
  return {
    pki,
    dir,
    leaves,
    offline,
    api,
    asked,
    tellPods: () => watchers.forEach((one) => one.write('{"type":"ADDED","object":{}}\n')),
    async startServer(port = 0) {
      const tls = { key, cert: certPem, ca: readFileSync(pki.clientCa.certFile), requestCert: true };
      server = createServer({ ...tls, rejectUnauthorized: false }, (request, response) => {
        const { pathname, searchParams } = new URL(request.url ?? '/', 'https://api');
        asked.push(pathname);
        if (searchParams.has('watch')) {
          response.writeHead(200).flushHeaders();
          watchers.add(response);
          return void response.once('close', () => watchers.delete(response));
        }
        const object = api.get(pathname);
        response.statusCode = object === undefined ? 404 : object === 'forbidden' ? 403 : 200;
        response.end(JSON.stringify(object ?? {}));
      });
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
    stopServer,
    async remember(url) {
      const component = offline.memoryComponent({
        after: [],
        apiserverUrl: url,
        serverCaPath: () => pki.serverCa.certFile,
        needsServiceAccounts: false,
      });
      await component.start(new AbortController().signal);
      onTestFinished(() => component.stop());
      return component;
    },
  };
}

/** The load balancer, with the server at `url`, which may be away. */
async function balance({ pki, offline }: World, url: string) {
  const trusted = await offline.prepare();
  const balancer = createLoadBalancer({
    after: [],
    port: 0,
    apiserverUrls: () => [url],
    caPath: () => pki.serverCa.certFile,
    fallback: offline,
    log: silentLog,
  });
  await balancer.start(new AbortController().signal);
  onTestFinished(() => balancer.stop());
  const ca = pki.serverCa.caPem + trusted;
  const agentOf = (leaf?: Leaf) => {
    const shown = leaf && { cert: readFileSync(leaf.certFile, 'utf8'), key: readFileSync(leaf.keyFile, 'utf8') };
    const agent = httpsAgent({ ca, ...shown });
    onTestFinished(() => agent.destroy());
    return agent;
  };
  return {
    ask: (path: string, leaf?: Leaf) =>
      httpRequest({ url: `${balancer.url()}${path}`, agent: agentOf(leaf), timeoutMs: 10_000 }),
    watch: (path: string, leaf: Leaf) =>
      openHttp({ url: `${balancer.url()}${path}`, agent: agentOf(leaf) }, AbortSignal.timeout(20_000)),
  };
}

async function rememberedWorld(): Promise<{ readonly here: World; readonly url: string }> {
  const here = await world();
  const url = await here.startServer();
  const component = await here.remember(url);
  await eventually(() => existsSync(join(here.dir, 'offline/endpointslices.json')), { what: 'a memory' });
  await component.stop();
  await here.stopServer();
  return { here, url };
}

/** TLS that is refused, or a connection that is closed. */
const brokenOff = /ECONNRESET|socket hang up|disconnected|certificate required/;

test('what a server said is answered when it is away, to the programs of this node and to nobody else', async () => {
  const { here, url } = await rememberedWorld();
  const { ask } = await balance(here, url);
  const pods = await ask('/api/v1/pods?fieldSelector=spec.nodeName%3Da1', here.leaves.kubelet);
  expect(pods.headers['content-type']).toBe('application/json');
  expect(pods.body).toContain('"terminationGracePeriodSeconds":9223372036854775807,');
  expect(JSON.parse(pods.body)).toMatchObject({ kind: 'PodList', items: [{ metadata: { uid: 'uid-web' } }] });
  const kept = await ask('/api/v1/namespaces/default/secrets/s', here.leaves.kubelet);
  expect(JSON.parse(kept.body)).toMatchObject({ kind: 'Secret', data: { password: 'a2VwdA==' } });
  expect((await ask('/api/v1/nodes', here.leaves.flannel)).status).toBe(200);
  expect((await ask('/api/v1/namespaces/default/secrets/s', here.leaves.kubeProxy)).status).toBe(403);
  expect((await ask('/api/v1/nodes', here.leaves.stranger)).status).toBe(403);
  await expect(ask('/api/v1/nodes')).rejects.toThrow(brokenOff);
});

test('the files are for root alone and have no more in them than is needed', async () => {
  const { here } = await rememberedWorld();
  const dir = join(here.dir, 'offline');
  const modes = readdirSync(dir).map((file) => statSync(join(dir, file)).mode & 0o777);
  expect(new Set(modes)).toEqual(new Set([0o600]));
  expect(readFileSync(join(dir, 'nodes.json'), 'utf8')).not.toContain('images');
  here.offline.forget();
  expect(existsSync(dir)).toBe(false);
});

test('a node that remembers nothing gives no answer at all', async () => {
  const never = await world();
  const { ask } = await balance(never, 'https://127.0.0.1:9');
  await expect(ask('/api/v1/nodes', never.leaves.kubelet)).rejects.toThrow(brokenOff);
});

test('when the server is back its clients are sent there, and from then on nobody else answers', async () => {
  const { here, url } = await rememberedWorld();
  const { ask, watch } = await balance(here, url);
  const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan';
  const stream = await watch(`/api/v1/pods?${query}`, here.leaves.kubelet);
  let events = '';
  stream.on('data', (bytes) => (events += String(bytes)));
  stream.on('error', () => {}); // it is broken off, which is what is waited for
  await eventually(() => events.includes('initial-events-end'), { what: 'the initial events' });
  expect(events).toMatch(/^{"type":"ADDED".*\n{"type":"BOOKMARK".*\n$/);

  here.api.set('/api/v1/nodes', 'of the server itself');
  await here.startServer(Number(new URL(url).port));
  await eventually(() => stream.destroyed, { withinMs: 15_000, what: 'an end of the watch' });
  expect((await ask('/api/v1/nodes', here.leaves.kubelet)).body).toContain('of the server itself');

  await here.stopServer();
  await expect(ask('/api/v1/nodes', here.leaves.kubelet)).rejects.toThrow(brokenOff);
});

test('a new pod is remembered some seconds later, with its Secret; what is known is not asked for again', async () => {
  const here = await world();
  const url = await here.startServer();
  await here.remember(url);
  const pods = () => readFileSync(join(here.dir, 'offline/pods.json'), 'utf8');
  await eventually(() => here.asked.filter((path) => path === '/api/v1/pods').length === 2, { what: 'the watch' });
  here.api.set('/api/v1/pods', { metadata: { resourceVersion: '30' }, items: [pod('web', 's'), pod('new', 't')] });
  here.api.set('/api/v1/namespaces/default/secrets/t', secret('t'));
  here.tellPods();
  await eventually(() => pods().includes('uid-new'), { what: 'the new pod' });
  const secrets = readFileSync(join(here.dir, 'offline/secrets.json'), 'utf8');
  expect(secrets).toContain('"name":"t"');
  expect(here.asked.filter((path) => path === '/api/v1/namespaces/default/secrets/s')).toHaveLength(1);
});

test('what the server refuses to say stays as it was, and what it does not have is remembered as absent', async () => {
  const { here } = await rememberedWorld();
  here.api.set('/api/v1/pods', { metadata: { resourceVersion: '31' }, items: [pod('web', 's'), pod('opt', 'gone')] });
  here.api.set('/api/v1/namespaces/default/secrets/s', 'forbidden');
  here.api.set('/api/v1/services', 'forbidden');
  const services = readFileSync(join(here.dir, 'offline/services.json'), 'utf8');
  const url = await here.startServer();
  const component = await here.remember(url);
  const pods = () => readFileSync(join(here.dir, 'offline/pods.json'), 'utf8');
  await eventually(() => pods().includes('uid-opt'), { what: 'the new pod' });
  await component.stop();
  const secrets = readFileSync(join(here.dir, 'offline/secrets.json'), 'utf8');
  expect(JSON.parse(secrets)).toMatchObject({ items: [{ metadata: { name: 's' } }], absent: ['default/gone'] });
  expect(readFileSync(join(here.dir, 'offline/services.json'), 'utf8')).toBe(services);
});

test('without its own certificate a node answers nobody, and starts all the same', async () => {
  const dir = temporaryDir();
  mkdirSync(join(dir, 'local.crt'));
  const files = { certPath: '/not/there', keyPath: '/not/there' };
  const offline = createOffline({
    dir,
    nodeName: 'a1',
    kubernetesVersion: 'v1.37.1',
    caHash: () => '',
    clientCaPath: () => '/not/there',
    credentials: () => ({ kubelet: files, kubeProxy: files, flannel: files }),
    log: silentLog,
  });
  expect(await offline.prepare()).toBeUndefined();
  const client = new Socket();
  offline.answer(client);
  expect(client.destroyed).toBe(true);
});
