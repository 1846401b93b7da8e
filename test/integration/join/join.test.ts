import { X509Certificate } from 'node:crypto';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { request } from 'node:https';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join as joinPath } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import * as agent from '../../../src/agent/membership/membership.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { pathsOf } from '../../../src/shared/paths.ts';
import type { Paths } from '../../../src/shared/paths.ts';
import { Secret } from '../../../src/shared/secret.ts';
import { fakeClock, skewedClock } from '../../helpers/clock.ts';
import { clusterSettings, joinServer } from '../../helpers/join-server.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const signal = new AbortController().signal;

/** A server's API on a free port. `seen` are the secrets that reached it. */
async function server(options: { readonly sans?: readonly string[]; readonly secret?: string } = {}) {
  const seen: string[] = [];
  return { ...(await joinServer({ ...options, onSecret: (secret) => void seen.push(secret) })), seen };
}

function joinOptions(paths: Paths, url: string, token: Secret | undefined) {
  const addresses = ['10.0.0.5'];
  return { url, token, nodeName: 'box', addresses, paths, version: '1', kubernetesVersion: 'v1.37.1', log: silentLog };
}

function newPaths(): Paths {
  return pathsOf(temporaryDir());
}

test('a node joins with the token: its identity is on disk and its keys are its own', async () => {
  const { url, tokens, pki } = await server();
  const paths = newPaths();
  const identity = await agent.join(joinOptions(paths, url, tokens.agentToken), signal);
  expect(identity).toMatchObject({
    nodeName: 'box',
    settings: clusterSettings,
    apiserverUrls: ['https://10.0.0.9:6443'],
    supervisorUrls: ['https://10.0.0.9:9345'],
    changed: true,
  });
  const { files } = identity;
  expect(readFileSync(files.serverCa, 'utf8')).toBe(pki.serverCa.caPem);
  expect(readFileSync(files.kubeletKubeconfig, 'utf8')).toContain('https://10.0.0.9:6443');
  for (const secret of [files.pairs.kubeletServing.keyPath, files.kubeletKubeconfig, paths.agent.identity]) {
    expect(statSync(secret).mode & 0o777).toBe(0o600);
  }
  const serving = new X509Certificate(readFileSync(files.pairs.kubeletServing.certPath));
  expect(serving.subjectAltName).toBe('DNS:box, IP Address:10.0.0.5');
});

test.each(['pässwörd-of-this-cluster', 'пароль-этого-кластера', 'à☃😀-0123456789'])(
  'a node joins with the token %s',
  async (secret) => {
    const { url, seen } = await server({ secret });
    await agent.join(joinOptions(newPaths(), url, new Secret(secret)), signal);
    expect(seen).toContain(secret);
  },
);

test('a box that boots without its server has its identity, and needs no token for it', async () => {
  const { url, tokens, api } = await server();
  const paths = newPaths();
  const first = await agent.join(joinOptions(paths, url, tokens.agentToken), signal);
  await api.stop();
  expect(await agent.join(joinOptions(paths, url, undefined), signal)).toEqual({ ...first, changed: false });
});

test('servers that a node has heard of are known at its next start, also while all of them are away', async () => {
  const { url, tokens, api } = await server();
  const paths = newPaths();
  await agent.join(joinOptions(paths, url, tokens.agentToken), signal);
  const heard = ['10.0.0.9', '10.0.0.8'].map((host) => ({
    supervisorUrl: `https://${host}:9345`,
    apiserverUrl: `https://${host}:6443`,
  }));
  agent.storeServers(paths, heard);
  await api.stop();
  const known = await agent.join(joinOptions(paths, url, undefined), signal);
  expect(known.apiserverUrls).toEqual(heard.map((one) => one.apiserverUrl));
  expect(known.supervisorUrls).toEqual(heard.map((one) => one.supervisorUrl));
});

test('a node that was removed has forgotten who it was, but not its keys', async () => {
  const { url, tokens } = await server();
  const paths = newPaths();
  await agent.join(joinOptions(paths, url, tokens.agentToken), signal);
  const key = readFileSync(joinPath(paths.agent.pki, 'kubelet.key'), 'utf8');
  agent.forgetIdentity(paths);
  await expect(agent.join(joinOptions(paths, url, undefined), signal)).rejects.toThrow(agent.NoTokenError);
  expect(readFileSync(joinPath(paths.agent.pki, 'kubelet.key'), 'utf8')).toBe(key);
});

test('a man in the middle with another CA gets no secret', async () => {
  const real = await server();
  const middle = await server({ secret: 'other' });
  const joined = agent.join(joinOptions(newPaths(), middle.url, real.tokens.agentToken), signal);
  await expect(joined).rejects.toThrow(agent.CaHashDiffersError);
  await expect(joined).rejects.toThrow(real.pki.serverCa.caHash);
  await expect(joined).rejects.toThrow(middle.pki.serverCa.caHash);
  expect(middle.seen).toEqual([]);
});

test('a man in the middle who hands out the right CA without its key gets no secret', async () => {
  const real = await server();
  const middle = await server({ secret: 'other' });
  // He passes /cacerts on and answers the rest himself, with a certificate of his own.
  const liar = await joinServer({
    api: {
      serverTrust: real.pki.serverCa.trust,
      leaf: await middle.pki.keepLeaf(middle.pki.serverCa, {
        name: 'supervisor',
        commonName: 'kagent',
        ipAddresses: ['127.0.0.1'],
        usages: ['server'],
      }),
      joinService: {
        authenticate: async (from) => void ('secret' in from && middle.seen.push(from.secret.reveal())),
        authenticateServer: () => Promise.reject(new Error('never')),
        join: () => Promise.reject(new Error('never')),
      },
    },
  });
  const joined = agent.join(joinOptions(newPaths(), liar.url, real.tokens.agentToken), signal);
  await expect(joined).rejects.toThrow(agent.ServerTlsError);
  expect(middle.seen).toEqual([]);
});

test('a wrong secret is refused with the server’s own code', async () => {
  const { url, pki } = await server();
  const token = new Secret(`K10${pki.serverCa.caHash}::server:guess`);
  const joined = agent.join(joinOptions(newPaths(), url, token), signal);
  await expect(joined).rejects.toThrow(agent.JoinRefusedError);
  await expect(joined).rejects.toMatchObject({ code: 'TOKEN_WRONG', status: 401 });
});

test('another machine does not get a name that is taken; the first one joins again as itself', async () => {
  const { url, tokens } = await server();
  const paths = newPaths();
  await agent.join(joinOptions(paths, url, tokens.agentToken), signal);
  const other = agent.join(joinOptions(newPaths(), url, tokens.agentToken), signal);
  await expect(other).rejects.toMatchObject({ code: 'NODE_NAME_TAKEN' });
  rmSync(paths.agent.pki, { recursive: true });
  expect((await agent.join(joinOptions(paths, url, tokens.agentToken), signal)).changed).toBe(true);
});

test('a machine that does not get another name is still who it was, and one that got it may have its old one back', async () => {
  const { url, tokens } = await server();
  const paths = newPaths();
  const as = (nodeName: string) => agent.join({ ...joinOptions(paths, url, tokens.agentToken), nodeName }, signal);
  await as('box');
  await agent.join(
    { ...joinOptions(newPaths(), url, tokens.agentToken), nodeName: 'taken', addresses: ['10.0.0.6'] },
    signal,
  );
  await expect(as('taken')).rejects.toMatchObject({ code: 'NODE_NAME_TAKEN' });
  expect(agent.joinedName(paths)).toBe('box');
  expect((await as('box')).changed).toBe(false);
  await as('other');
  expect(agent.joinedName(paths)).toBe('other');
  await as('box');
});

test('other addresses, or another cluster, mean a new join', async () => {
  const first = await server();
  const second = await server();
  const paths = newPaths();
  await agent.join(joinOptions(paths, first.url, first.tokens.agentToken), signal);
  const moved = { ...joinOptions(paths, first.url, first.tokens.agentToken), addresses: ['10.0.0.6'] };
  expect((await agent.join(moved, signal)).changed).toBe(true);
  const { files, changed } = await agent.join(joinOptions(paths, second.url, second.tokens.agentToken), signal);
  expect(changed).toBe(true);
  expect(readFileSync(files.serverCa, 'utf8')).toBe(second.pki.serverCa.caPem);
});

test('certificates that are due, or over, serve on while the server is away: the box starts without it', async () => {
  const { url, tokens, api } = await server();
  const paths = newPaths();
  const options = joinOptions(paths, url, tokens.agentToken);
  await agent.join(options, signal);
  const certFile = joinPath(paths.agent.pki, 'kubelet.crt');
  const before = readFileSync(certFile, 'utf8');
  await api.stop();
  for (const days of [6, 400]) {
    const clock = fakeClock(Date.now() + days * 86_400_000);
    expect((await agent.join({ ...options, clock }, signal)).changed).toBe(false);
    expect(readFileSync(certFile, 'utf8')).toBe(before);
  }
});

test('a clock that is off is named, with how much', async () => {
  const { url, tokens } = await server();
  const clock = fakeClock(Date.now() - 7_230_000);
  const joined = agent.join({ ...joinOptions(newPaths(), url, tokens.agentToken), clock }, signal);
  await expect(joined).rejects.toThrow(agent.ClockSkewError);
  await expect(joined).rejects.toThrow(/72\d\d s behind/);
});

test('an address the certificate does not have is named with the flag that adds it', async () => {
  const { url, tokens } = await server({ sans: ['10.0.0.9'] });
  const joined = agent.join(joinOptions(newPaths(), url, tokens.agentToken), signal);
  await expect(joined).rejects.toThrow(agent.ServerSanError);
  await expect(joined).rejects.toThrow('--tls-san 127.0.0.1');
});

test('nobody there, a name nobody knows, no TLS and no kagent are told apart', async () => {
  const token = new Secret(`K10${'0'.repeat(64)}::server:x`);
  const at = (url: string) => agent.join(joinOptions(newPaths(), url, token), signal);
  const closed = createServer();
  const free = await listening(closed);
  await new Promise((resolve) => closed.close(resolve));
  await expect(at(`https://127.0.0.1:${free}`)).rejects.toThrow(agent.ServerRefusedError);
  await expect(at('https://no-such-host.invalid')).rejects.toThrow(agent.ServerNameError);
  const plain = createHttpServer((_request, response) => response.end('hello'));
  const port = await listening(plain);
  onTestFinished(() => void plain.close());
  await expect(at(`https://127.0.0.1:${port}`)).rejects.toThrow(agent.ServerTlsError);
});

test('certificates that are due are renewed by showing them: the token may be replaced meanwhile', async () => {
  const { url, tokens } = await server();
  const paths = newPaths();
  await agent.join(joinOptions(paths, url, tokens.agentToken), signal);
  const certFile = joinPath(paths.agent.pki, 'kubelet.crt');
  const before = readFileSync(certFile, 'utf8');
  tokens.rotate(tokens.serverToken, undefined);
  const options = joinOptions(paths, url, undefined);
  expect(await agent.renewIfDue(options, signal)).toBe(false);
  const lateClock = fakeClock(Date.now() + 6 * 86_400_000);
  expect(await agent.renewIfDue({ ...options, clock: lateClock }, signal)).toBe(true);
  expect(readFileSync(certFile, 'utf8')).not.toBe(before);
});

test('a node that the server does not know any more joins again by its token alone', async () => {
  const first = await server();
  const paths = newPaths();
  await agent.join(joinOptions(paths, first.url, first.tokens.agentToken), signal);
  const options = { ...joinOptions(paths, first.url, first.tokens.agentToken), isForgotten: true };
  expect((await agent.join(options, signal)).changed).toBe(true);
  await expect(agent.join({ ...options, token: undefined }, signal)).rejects.toThrow(agent.NoTokenError);
});

test.each(Object.entries({ clusterCidr: '10.50.0.0/16', flannelBackend: 'host-gw' } as const))(
  'a %s that is not the cluster’s is refused with both values',
  (name, value) => {
    agent.checkSettings({}, clusterSettings);
    agent.checkSettings(clusterSettings, clusterSettings);
    const check = () => agent.checkSettings({ [name]: value }, clusterSettings);
    expect(check).toThrow(agent.SettingDiffersError);
    expect(check).toThrow(`${value} here but ${clusterSettings[name as keyof typeof clusterSettings]} in the cluster`);
  },
);

test('a short secret joins without a pin', async () => {
  const { url } = await server();
  const identity = await agent.join(joinOptions(newPaths(), url, new Secret('s3cret')), signal);
  expect(identity.changed).toBe(true);
});

test('a node gives up a server that is not reached for long; a server’s own node waits for it until its start is given up', async () => {
  const { url, tokens, api } = await server();
  await api.stop();
  let passedMs = 0;
  const hasty = skewedClock({ monotonic: () => (passedMs += 20_000) });
  const options = { ...joinOptions(newPaths(), url, tokens.agentToken), clock: hasty };
  await expect(agent.joinPatiently(options, signal)).rejects.toThrow(agent.ServerRefusedError);
  const start = new AbortController();
  const log = { ...silentLog, warn: () => start.abort() }; // it says that it asks again
  await expect(agent.joinPatiently({ ...options, isOwnServer: true, log }, start.signal)).rejects.toThrow('aborted');
});

test('a hundred nodes join at once, each with its own name', async () => {
  const { url, tokens } = await server();
  const joins = Array.from({ length: 100 }, (_, index) =>
    agent.join(
      {
        ...joinOptions(newPaths(), url, tokens.agentToken),
        nodeName: `box-${index}`,
        addresses: [`10.0.1.${index}`],
        isOwnServer: true, // all hundred are this process, which is slower than each of them would be
      },
      signal,
    ),
  );
  const names = (await Promise.all(joins)).map(({ nodeName }) => nodeName);
  expect(new Set(names).size).toBe(100);
});

test.each([
  ['no token', { headers: {}, body: '{}' }, 401, 'API_NO_TOKEN'],
  ['a wrong token, whatever the body', { headers: { authorization: 'Bearer x' }, body: 'junk' }, 401, 'TOKEN_WRONG'],
  ['a body that is no join', { headers: { authorization: 'Bearer s3cret' }, body: '{}' }, 400, 'API_BODY_INVALID'],
  ['a huge body', { headers: { authorization: 'Bearer s3cret' }, body: 'x'.repeat(70_000) }, 413, 'API_BODY_TOO_LARGE'],
])('%s is answered with a problem', async (_what, { headers, body }, status, code) => {
  const { url, pki } = await server();
  const reply = await post(`${url}/v1/join`, { headers, body, ca: pki.serverCa.caPem });
  expect(reply.status).toBe(status);
  expect(JSON.parse(reply.body)).toMatchObject({ status, code });
});

function listening(listener: { listen(port: number, host: string, done: () => void): unknown; address(): unknown }) {
  return new Promise<number>((resolve) => {
    listener.listen(0, '127.0.0.1', () => resolve((listener.address() as AddressInfo).port));
  });
}

function post(
  url: string,
  options: {
    readonly headers: Readonly<Record<string, string | undefined>>;
    readonly body: string;
    readonly ca: string;
  },
) {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const headers = Object.fromEntries(Object.entries(options.headers).filter(([, value]) => value !== undefined));
    const sent = request(url, { method: 'POST', headers, ca: options.ca }, (response) => {
      response.setEncoding('utf8');
      let body = '';
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    sent.on('error', reject);
    sent.end(options.body);
  });
}
