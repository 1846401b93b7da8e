import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { ServerDirectory } from '../../../../src/server/cluster/cluster.ts';
import {
  NodeAddressInvalidError,
  NodeNameTakenError,
  NodeNotJoinedError,
} from '../../../../src/server/identity/identity.ts';
import {
  NodeNameInvalidError,
  TokenExpiredError,
  TokenNodeError,
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
import { joinServiceOptions } from '../../../helpers/join-server.ts';

const good = { secret: new Secret('server:s3cret'), address: '10.0.0.1' };

/** What the server reads in the certificate that a node shows. */
function peerOf(pem: string) {
  const { subject } = new X509Certificate(pem);
  return {
    nodeName: /CN=system:node:(.*)/.exec(subject)?.[1] ?? '',
    uid: /1\.3\.6\.1\.4\.1\.57683\.2=(.*)/.exec(subject)?.[1] ?? '',
  };
}

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
  const { joinService } = await joinServiceOptions();
  const { certificates } = await joinService.join(await request(), good);
  const { uid } = peerOf(certificates.kubelet);
  const subject = (pem: string) => new X509Certificate(pem).subject.split('\n');
  const ofNode = `1.3.6.1.4.1.57683.2=${uid}`;
  expect(uid).toMatch(/^[0-9a-f-]{36}$/);
  expect(subject(certificates.kubelet)).toEqual(['O=system:nodes', 'CN=system:node:box', ofNode]);
  expect(subject(certificates.kubeProxy)).toEqual(['CN=system:kube-proxy', ofNode]);
  expect(subject(certificates.flannel)).toEqual(['O=kagent:flannel', 'CN=system:kagent:flannel:box', ofNode]);
  const serving = new X509Certificate(certificates.kubeletServing);
  expect(serving.subjectAltName).toBe('DNS:box, IP Address:10.0.0.5');
});

test("what a kubelet shows is not signed by the server's authority, so that no node can pose as the server", async () => {
  const { pki, joinService } = await joinServiceOptions();
  const { certificates } = await joinService.join(await request({ nodeName: 'kubernetes' }), good);
  const serving = new X509Certificate(certificates.kubeletServing);
  expect(serving.verify(new X509Certificate(pki.serverCa.caPem).publicKey)).toBe(false);
  expect(serving.verify(new X509Certificate(pki.kubeletCa.caPem).publicKey)).toBe(true);
});

test('a wrong token is refused, from the sixth on without being looked at, and people hear of it', async () => {
  const { joinService, events } = await joinServiceOptions();
  const wrong = { ...good, secret: new Secret('server:guess') };
  for (let guess = 0; guess < 5; guess++)
    await expect(joinService.authenticate(wrong)).rejects.toThrow(TokenWrongError);
  await expect(joinService.authenticate(good)).rejects.toThrow(TooManyAttemptsError);
  await joinService.authenticate({ ...good, address: '10.0.0.2' });
  expect(events.recent(5).map(({ reason, message }) => `${reason}: ${message}`)).toEqual([
    'WrongTokens: 10.0.0.1 has shown too many wrong tokens and has to wait 1 s',
  ]);
});

test('a token that has expired is refused with when it did, and one that was deleted as unknown', async () => {
  const clock = fakeClock();
  const { joinService, tokens } = await joinServiceOptions({ clock });
  const { token, text } = await tokens.create({ role: 'agent', description: '', ttlMs: 60_000, secret: undefined });
  const from = { secret: parseToken(text.reveal()).secret, address: '10.0.0.1' };
  await joinService.authenticate(from);
  clock.advance(61_000);
  await expect(joinService.authenticate(from)).rejects.toThrow(TokenExpiredError);
  await expect(joinService.authenticate(from)).rejects.toThrow(`has expired at ${token.expiresAt}`);
  await tokens.delete(token.id);
  await expect(joinService.authenticate(from)).rejects.toThrow(TokenWrongError);
});

test('a server does not join by a token for agents', async () => {
  const { joinService, tokens } = await joinServiceOptions();
  const { text } = await tokens.create({ role: 'agent', description: '', ttlMs: 0, secret: undefined });
  const from = { secret: parseToken(text.reveal()).secret, address: '10.0.0.1' };
  await expect(joinService.join(await request({ role: 'server' }), from)).rejects.toThrow(TokenRoleError);
  await joinService.join(await request({ role: 'server' }), good);
});

test.each([
  ['v1.38.0', 'newer than the server'],
  ['v1.33.9', 'more than 3 minor versions older'],
])('a box with Kubernetes %s is refused by a server with v1.37.1: it is %s', async (kubernetesVersion, reason) => {
  const { joinService } = await joinServiceOptions();
  const asked = joinService.join(await request({ kubernetesVersion }), good);
  await expect(asked).rejects.toThrow(VersionSkewError);
  await expect(asked).rejects.toThrow(reason);
});

test.each(['v1.37.9', 'v1.34.0', 'v0.0.0-master'])(
  'a box with Kubernetes %s joins a server with v1.37.1',
  async (version) => {
    const { joinService } = await joinServiceOptions({
      kubernetesVersion: version.startsWith('v0') ? version : 'v1.37.1',
    });
    await expect(joinService.join(await request({ kubernetesVersion: version }), good)).resolves.toHaveProperty(
      'version',
      '1',
    );
  },
);

test('a node that has joined gets new certificates for the one it has, but only its own', async () => {
  const { joinService } = await joinServiceOptions();
  const unknown = { nodeName: 'box', uid: '', address: '10.0.0.1' };
  await expect(joinService.join(await request(), unknown)).rejects.toThrow(NodeNotJoinedError);
  const { certificates } = await joinService.join(await request(), good);
  const byCertificate = { ...peerOf(certificates.kubelet), address: '10.0.0.1' };
  await joinService.join(await request(), byCertificate);
  const asOther = joinService.join(await request({ nodeName: 'other' }), byCertificate);
  await expect(asOther).rejects.toThrow(NodeNotJoinedError);
  const stolen = joinService.join(await request({ nodePassword: 'q'.repeat(64) }), byCertificate);
  await expect(stolen).rejects.toThrow(NodeNameTakenError);
});

test('a token that was made for one node lets in that node alone', async () => {
  const { joinService, tokens } = await joinServiceOptions();
  const { text } = await tokens.create({
    role: 'agent',
    description: '',
    ttlMs: 0,
    nodeName: 'box',
    secret: undefined,
  });
  const from = { secret: parseToken(text.reveal()).secret, address: '10.0.0.1' };
  await expect(joinService.join(await request({ nodeName: 'other' }), from)).rejects.toThrow(TokenNodeError);
  await joinService.join(await request(), good);
  const another = await request({ nodePassword: 'q'.repeat(64) });
  await expect(joinService.join(another, good)).rejects.toThrow(NodeNameTakenError);
  await joinService.join(another, from); // the administrator has said so
});

test('certificates live for days, and renewed ones too', async () => {
  const { joinService } = await joinServiceOptions();
  const { certificates } = await joinService.join(await request(), good);
  for (const pem of Object.values(certificates)) {
    const { validFromDate, validToDate } = new X509Certificate(pem);
    expect((validToDate.getTime() - validFromDate.getTime()) / 86_400_000).toBeCloseTo(7, 0);
  }
});

test('another machine does not get the name, the same machine does', async () => {
  const { joinService } = await joinServiceOptions();
  await joinService.join(await request(), good);
  await joinService.join(await request(), good);
  const other = await request({ nodePassword: 'q'.repeat(64) });
  await expect(joinService.join(other, good)).rejects.toThrow(NodeNameTakenError);
});

test.each(['Box', 'a_b', '-a', 'a..b', 'system:node:other', 'a/b', 'a'.repeat(64)])(
  '%j cannot name a node',
  async (nodeName) => {
    const { joinService } = await joinServiceOptions();
    await expect(joinService.join(await request({ nodeName }), good)).rejects.toThrow(NodeNameInvalidError);
  },
);

test.each(['127.0.0.1', '::1', '0.0.0.0', '::', '224.0.0.1', '255.255.255.255', 'box', '::ffff:127.0.0.1'])(
  '%s cannot be the address of a node',
  async (address) => {
    const { joinService } = await joinServiceOptions();
    const asked = joinService.join(await request({ addresses: ['10.0.0.5', address] }), good);
    await expect(asked).rejects.toThrow(NodeAddressInvalidError);
  },
);

test('a joiner whose request is refused does not take the name', async () => {
  const { joinService } = await joinServiceOptions();
  const csrs = { ...(await request()).csrs, flannel: 'junk' };
  await expect(joinService.join(await request({ csrs, nodePassword: 'q'.repeat(64) }), good)).rejects.toThrow(
    CsrInvalidError,
  );
  await joinService.join(await request(), good);
});

test('a certificate names a router’s address only where the node was seen to come from it', async () => {
  const { joinService } = await joinServiceOptions();
  const addresses = ['10.0.0.5', '203.0.113.7'];
  const names = async (address: string) => {
    const { certificates } = await joinService.join(await request({ addresses }), { ...good, address });
    return new X509Certificate(certificates.kubeletServing).subjectAltName;
  };
  expect(await names('10.0.0.5')).toBe('DNS:box, IP Address:10.0.0.5');
  expect(await names('203.0.113.7')).toBe('DNS:box, IP Address:10.0.0.5, IP Address:203.0.113.7');
});

test('a joiner is told the address it came by before the server’s own', async () => {
  const at = (host: string) => ({ supervisorUrl: `https://${host}:9345`, apiserverUrl: `https://${host}:6443` });
  const { joinService } = await joinServiceOptions({
    servers: new ServerDirectory('s1', at('s'), { supervisorPort: 9345, httpsListenPort: 6443 }),
  });
  const { apiserverUrls, supervisorUrls } = await joinService.join(await request(), {
    ...good,
    reachedAt: '192.168.56.11',
  });
  expect(apiserverUrls).toEqual(['https://192.168.56.11:6443', 'https://s:6443']);
  expect(supervisorUrls).toEqual(['https://192.168.56.11:9345', 'https://s:9345']);
});
