import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  NodeAddressInvalidError,
  NodeAddressTakenError,
  NodeAliveError,
  NodeNameInvalidError,
  NodeNameTakenError,
  NodeNotJoinedError,
  TokenExpiredError,
  TokenRoleError,
  TokenWrongError,
  TooManyAttemptsError,
  VersionSkewError,
} from '../../../../src/server/join/join.ts';
import { CsrInvalidError } from '../../../../src/server/pki/pki.ts';
import { createCsrPem, createKeyPem } from '../../../../src/shared/certificates/certificates.ts';
import type { JoinRequest } from '../../../../src/shared/protocol/join.ts';
import { Secret } from '../../../../src/shared/secret.ts';
import { parseToken } from '../../../../src/shared/token/token.ts';
import { fakeClock } from '../../../helpers/clock.ts';
import { joinDoorOptions } from '../../../helpers/join-server.ts';

const good = { secret: new Secret('server:s3cret'), address: '10.0.0.1' };

async function request(changes: Partial<JoinRequest> = {}): Promise<JoinRequest> {
  const csr = await createCsrPem(createKeyPem(), 'system:masters'); // a name that must not be heeded
  return {
    nodeName: 'box',
    nodePassword: 'p'.repeat(64),
    addresses: ['10.0.0.5'],
    version: '1',
    csrs: { kubelet: csr, kubeletServing: csr, kubeProxy: csr, flannel: csr },
    ...changes,
  };
}

test('a joiner gets certificates with the names of its node, whatever its requests ask for', async () => {
  const { joinDoor } = await joinDoorOptions();
  const { certificates } = await joinDoor.join(await request(), good);
  const subject = (pem: string) => new X509Certificate(pem).subject.split('\n');
  expect(subject(certificates.kubelet)).toEqual(['O=system:nodes', 'CN=system:node:box']);
  expect(subject(certificates.kubeProxy)).toEqual(['CN=system:kube-proxy']);
  expect(subject(certificates.flannel)).toEqual(['O=kagent:flannel', 'CN=system:kagent:flannel:box']);
  const serving = new X509Certificate(certificates.kubeletServing);
  expect(serving.subjectAltName).toBe('DNS:box, IP Address:10.0.0.5');
});

test("what a kubelet shows is not signed by the server's authority, so that no node can pose as the server", async () => {
  const { pki, joinDoor } = await joinDoorOptions();
  const { certificates } = await joinDoor.join(await request({ nodeName: 'kubernetes' }), good);
  const serving = new X509Certificate(certificates.kubeletServing);
  expect(serving.verify(new X509Certificate(pki.serverCa.caPem).publicKey)).toBe(false);
  expect(serving.verify(new X509Certificate(pki.kubeletCa.caPem).publicKey)).toBe(true);
});

test('a wrong token is refused, from the sixth on without being looked at, and people hear of it', async () => {
  const { joinDoor, events } = await joinDoorOptions();
  const wrong = { ...good, secret: new Secret('server:guess') };
  for (let guess = 0; guess < 5; guess++) await expect(joinDoor.authenticate(wrong)).rejects.toThrow(TokenWrongError);
  await expect(joinDoor.authenticate(good)).rejects.toThrow(TooManyAttemptsError);
  await joinDoor.authenticate({ ...good, address: '10.0.0.2' });
  expect(events.recent(5).map(({ reason, message }) => `${reason}: ${message}`)).toEqual([
    'WrongTokens: 10.0.0.1 has shown too many wrong tokens and has to wait 1 s',
  ]);
});

test('a token that has expired is refused with when it did, and one that was deleted as unknown', async () => {
  const clock = fakeClock();
  const { joinDoor, tokens } = await joinDoorOptions({ clock });
  const { token, text } = await tokens.create({ role: 'agent', description: '', ttlMs: 60_000, secret: undefined });
  const from = { secret: parseToken(text.reveal()).secret, address: '10.0.0.1' };
  await joinDoor.authenticate(from);
  clock.advance(61_000);
  await expect(joinDoor.authenticate(from)).rejects.toThrow(TokenExpiredError);
  await expect(joinDoor.authenticate(from)).rejects.toThrow(`has expired at ${token.expiresAt}`);
  await tokens.delete(token.id);
  await expect(joinDoor.authenticate(from)).rejects.toThrow(TokenWrongError);
});

test('a server does not join by a token for agents', async () => {
  const { joinDoor, tokens } = await joinDoorOptions();
  const { text } = await tokens.create({ role: 'agent', description: '', ttlMs: 0, secret: undefined });
  const from = { secret: parseToken(text.reveal()).secret, address: '10.0.0.1' };
  await expect(joinDoor.join(await request({ role: 'server' }), from)).rejects.toThrow(TokenRoleError);
  await joinDoor.join(await request({ role: 'server' }), good);
});

test.each([
  ['v1.38.0', 'newer than the server'],
  ['v1.33.9', 'more than 3 minor versions older'],
])('a box with Kubernetes %s is refused by a server with v1.37.1: it is %s', async (kubernetesVersion, reason) => {
  const { joinDoor } = await joinDoorOptions();
  const asked = joinDoor.join(await request({ kubernetesVersion }), good);
  await expect(asked).rejects.toThrow(VersionSkewError);
  await expect(asked).rejects.toThrow(reason);
});

test.each(['v1.37.9', 'v1.34.0', 'v0.0.0-master'])(
  'a box with Kubernetes %s joins a server with v1.37.1',
  async (version) => {
    const { joinDoor } = await joinDoorOptions({ kubernetesVersion: version.startsWith('v0') ? version : 'v1.37.1' });
    await expect(joinDoor.join(await request({ kubernetesVersion: version }), good)).resolves.toHaveProperty(
      'version',
      '1',
    );
  },
);

test('a node that has joined gets new certificates for the one it has, but only its own', async () => {
  const { joinDoor } = await joinDoorOptions();
  const byCertificate = { nodeName: 'box', address: '10.0.0.1' };
  await expect(joinDoor.join(await request(), byCertificate)).rejects.toThrow(NodeNotJoinedError);
  await joinDoor.join(await request(), good);
  await joinDoor.join(await request(), byCertificate);
  const asOther = joinDoor.join(await request({ nodeName: 'other' }), byCertificate);
  await expect(asOther).rejects.toThrow(NodeNotJoinedError);
  const stolen = joinDoor.join(await request({ nodePassword: 'q'.repeat(64) }), byCertificate);
  await expect(stolen).rejects.toThrow(NodeNameTakenError);
});

test('a machine takes over the name of one that is gone, not of one that is connected', async () => {
  let connected = true;
  const { joinDoor } = await joinDoorOptions({ isConnected: () => connected });
  await joinDoor.join(await request(), good);
  const replacing = await request({ nodePassword: 'q'.repeat(64), replace: true });
  await expect(joinDoor.join(replacing, good)).rejects.toThrow(NodeAliveError);
  connected = false;
  await joinDoor.join(replacing, good);
  await expect(joinDoor.join(await request(), good)).rejects.toThrow(NodeNameTakenError);
});

test('another machine does not get the name, the same machine does', async () => {
  const { joinDoor } = await joinDoorOptions();
  await joinDoor.join(await request(), good);
  await joinDoor.join(await request(), good);
  const other = await request({ nodePassword: 'q'.repeat(64) });
  await expect(joinDoor.join(other, good)).rejects.toThrow(NodeNameTakenError);
});

test.each(['Box', 'a_b', '-a', 'a..b', 'system:node:other', 'a/b', 'a'.repeat(64)])(
  '%j cannot name a node',
  async (nodeName) => {
    const { joinDoor } = await joinDoorOptions();
    await expect(joinDoor.join(await request({ nodeName }), good)).rejects.toThrow(NodeNameInvalidError);
  },
);

test.each(['127.0.0.1', '::1', '0.0.0.0', '::', '224.0.0.1', '255.255.255.255', 'box', '::ffff:127.0.0.1'])(
  '%s cannot be the address of a node',
  async (address) => {
    const { joinDoor } = await joinDoorOptions();
    const asked = joinDoor.join(await request({ addresses: ['10.0.0.5', address] }), good);
    await expect(asked).rejects.toThrow(NodeAddressInvalidError);
  },
);

test('a joiner whose request is refused does not take the name', async () => {
  const { joinDoor } = await joinDoorOptions();
  const csrs = { ...(await request()).csrs, flannel: 'junk' };
  await expect(joinDoor.join(await request({ csrs, nodePassword: 'q'.repeat(64) }), good)).rejects.toThrow(
    CsrInvalidError,
  );
  await joinDoor.join(await request(), good);
});

test('an address that another node has, which is connected, is refused with what to type', async () => {
  const { joinDoor } = await joinDoorOptions({ nodeAt: (address) => (address === '10.0.0.5' ? 's1' : undefined) });
  const asked = joinDoor.join(await request(), { ...good, address: '192.168.56.21' });
  await expect(asked).rejects.toThrow(NodeAddressTakenError);
  await expect(asked).rejects.toThrow(
    /10\.0\.0\.5 is the address of the node s1.*sees this one as 192\.168\.56\.21.*--node-ip/,
  );
  await joinDoor.join(await request({ nodeName: 's1' }), good);
  await joinDoor.join(await request({ addresses: ['10.0.0.6', '10.0.0.5'] }), good); // a router’s, say
});

test('a joiner is told the address it came by before the server’s own', async () => {
  const at = (host: string) => ({ supervisorUrl: `https://${host}:9345`, apiserverUrl: `https://${host}:6443` });
  const { joinDoor } = await joinDoorOptions({
    servers: (host) => [...(host === undefined ? [] : [at(host)]), at('s')],
  });
  const { apiserverUrls, supervisorUrls } = await joinDoor.join(await request(), {
    ...good,
    reachedAt: '192.168.56.11',
  });
  expect(apiserverUrls).toEqual(['https://192.168.56.11:6443', 'https://s:6443']);
  expect(supervisorUrls).toEqual(['https://192.168.56.11:9345', 'https://s:9345']);
});
