/** Who is a node to the server's API, and who only says so: certificates that are over, taken away, or somebody else's. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join as joinPath } from 'node:path';
import { expect, test } from 'vitest';
import * as agent from '../../../src/agent/membership/membership.ts';
import { openPki } from '../../../src/server/pki/pki.ts';
import { createCsrPem, createKeyPem } from '../../../src/shared/certificates/certificates.ts';
import { silentLog } from '../../../src/shared/log/log.ts';
import { pathsOf } from '../../../src/shared/paths.ts';
import { tunnelProtocol } from '../../../src/shared/protocol/channel.ts';
import { fakeClock } from '../../helpers/clock.ts';
import { nodeIdentities } from '../../helpers/identities.ts';
import { memoryKeyValue } from '../../helpers/key-value.ts';
import { joinServer } from '../../helpers/join-server.ts';
import { temporaryDir } from '../../helpers/temporary.ts';

const signal = new AbortController().signal;
const dayMs = 86_400_000;

/** A server and a node that joined it `daysAgo`, by the server's clock, which is right again since. */
async function cluster(daysAgo = 0) {
  const clock = fakeClock(Date.now() - daysAgo * dayMs);
  const store = memoryKeyValue();
  const { identities } = nodeIdentities({ store });
  const server = await joinServer({ identities, pkiClock: clock });
  const paths = pathsOf(temporaryDir());
  const options = {
    url: server.url,
    token: undefined,
    nodeName: 'box',
    addresses: ['10.0.0.5'],
    paths,
    version: '1',
    kubernetesVersion: 'v1.37.1',
    log: silentLog,
  };
  const { files } = await agent.join({ ...options, token: server.tokens.agentToken }, signal);
  clock.advance(daysAgo * dayMs);
  const { certPath, keyPath } = files.pairs.kubelet;
  const shown = () => ({ cert: readFileSync(certPath, 'utf8'), key: readFileSync(keyPath, 'utf8') });
  return { ...server, store, identities, options, shown, files };
}

type Shown = { readonly cert: string; readonly key: string };

/** What the server says to somebody who shows this certificate. */
function ask(
  url: string,
  path: string,
  ca: string,
  options: Shown & { readonly body?: string; readonly upgrade?: string },
) {
  const { cert, key, body, upgrade } = options;
  const headers = upgrade === undefined ? {} : { connection: 'Upgrade', upgrade, 'sec-websocket-version': '13' };
  const method = body === undefined ? 'GET' : 'POST';
  return new Promise<number>((resolve, reject) => {
    const asked = request(`${url}${path}`, { method, ca, cert, key, agent: false, headers }, (reply) => {
      reply.resume();
      resolve(reply.statusCode ?? 0);
    });
    asked.on('upgrade', (reply, socket) => {
      socket.destroy();
      resolve(reply.statusCode ?? 0);
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

async function joinBody(nodeName = 'box'): Promise<string> {
  const csr = await createCsrPem(createKeyPem(), 'x');
  return JSON.stringify({
    nodeName,
    nodePassword: 'q'.repeat(64),
    addresses: ['10.0.0.66'],
    version: '1',
    replace: true,
    csrs: { kubelet: csr, kubeletServing: csr, kubeProxy: csr, flannel: csr },
  });
}

test('a node that was off for months is taken in by the certificate it has, without a token', async () => {
  const { options, shown } = await cluster(90);
  const before = shown().cert;
  expect(await agent.renewIfDue(options, signal)).toBe(true);
  expect(shown().cert).not.toBe(before);
  expect(await agent.renewIfDue(options, signal)).toBe(false);
});

test('a certificate that is over serves for nothing else', async () => {
  const { url, pki, shown } = await cluster(90);
  expect(await ask(url, '/v1/probes', pki.serverCa.caPem, { ...shown(), body: '{}' })).toBe(401);
  expect(await ask(url, '/v1/drain', pki.serverCa.caPem, { ...shown(), body: '{}' })).toBe(401);
  expect(await ask(url, '/v1/connect', pki.serverCa.caPem, { ...shown(), upgrade: 'websocket' })).toBe(401);
});

test.each([
  ['that is over', 90],
  ['that is good', 0],
])('a certificate %s with the name of a node, by another authority, is nobody’s', async (_what, daysAgo) => {
  const { url, pki } = await cluster();
  const forger = await openPki(joinPath(temporaryDir(), 'tls'), fakeClock(Date.now() - daysAgo * dayMs));
  const key = createKeyPem();
  const { certPem } = await forger.clientCa.issue({
    commonName: 'system:node:box',
    organizations: ['system:nodes'],
    usages: ['client'],
    publicKey: createPublicKey(createPrivateKey(key)),
    validMs: 7 * dayMs,
  });
  for (const cert of [certPem, `${certPem}${forger.clientCa.caPem}`, `${certPem}${pki.clientCa.caPem}`])
    expect(await ask(url, '/v1/join', pki.serverCa.caPem, { cert, key, body: await joinBody() })).toBe(401);
});

test('a removed node’s certificate, which is good for days, serves for nothing', async () => {
  const { url, pki, identities, shown } = await cluster();
  const answers = async () => [
    await ask(url, '/v1/join', pki.serverCa.caPem, { ...shown(), body: await joinBody() }),
    await ask(url, '/v1/probes', pki.serverCa.caPem, { ...shown(), body: '{}' }),
    await ask(url, '/v1/probes/x', pki.serverCa.caPem, shown()),
    await ask(url, '/v1/drain', pki.serverCa.caPem, { ...shown(), body: '{}' }),
    await ask(url, '/v1/tunnel/x', pki.serverCa.caPem, { ...shown(), upgrade: tunnelProtocol }),
  ];
  expect(await ask(url, '/v1/probes', pki.serverCa.caPem, { ...shown(), body: '{}' })).toBe(400); // it may ask
  await identities.forget('box');
  expect(await answers()).toEqual([403, 403, 403, 403, 403]);
  await identities.names.claim({ nodeName: 'box', password: 'new', replace: false, address: '', by: 'token' });
  expect(await answers()).toEqual([403, 403, 403, 403, 403]); // also when another machine has the name
});

test('a node whose server has forgotten it joins anew when it starts, if its token is good', async () => {
  const { options, identities, shown, tokens } = await cluster(6); // due
  const before = shown().cert;
  await identities.forget('box');
  await expect(agent.join(options, signal)).rejects.toThrow(/no node of this cluster any more/);
  expect((await agent.join({ ...options, token: tokens.agentToken }, signal)).changed).toBe(true);
  expect(shown().cert).not.toBe(before);
});

test('a node with a certificate for a year, by the version before, shows it once and gets one for days with its uid', async () => {
  const { options, pki, files, store, shown } = await cluster();
  const { key } = shown();
  const { certPem } = await pki.clientCa.issue({
    commonName: 'system:node:box',
    organizations: ['system:nodes'],
    usages: ['client'],
    publicKey: createPublicKey(createPrivateKey(key)),
  });
  writeFileSync(files.pairs.kubelet.certPath, certPem);
  await store.delete('/kagent/nodes/box/identity');
  await store.delete('/kagent/nodes/box/addresses');
  expect((await agent.join(options, signal)).changed).toBe(true);
  const { subject, validFromDate, validToDate } = new X509Certificate(shown().cert);
  expect(subject).toMatch(/1\.3\.6\.1\.4\.1\.57683\.2=[0-9a-f-]{36}/);
  expect((validToDate.getTime() - validFromDate.getTime()) / dayMs).toBeCloseTo(7, 0);
  expect((await agent.join(options, signal)).changed).toBe(false);
});

test('kube-apiserver’s question about those who lost their identity is always answered with no', async () => {
  const { url, pki, shown } = await cluster();
  const answer = await new Promise<string>((resolve, reject) => {
    const asked = request(`${url}/v1/revoked`, { method: 'POST', ca: pki.serverCa.caPem, ...shown() }, (reply) => {
      let text = '';
      reply.on('data', (bytes: Buffer) => (text += bytes.toString())).on('end', () => resolve(text));
    });
    asked.on('error', reject);
    asked.end('{}');
  });
  expect(JSON.parse(answer)).toMatchObject({ status: { allowed: false, denied: true } });
});
