import { X509Certificate } from 'node:crypto';
import { join as joinPath } from 'node:path';
import { expect, test } from 'vitest';
import {
  createJoinDoor,
  createNodePasswords,
  createWrongTokens,
  NodeAddressInvalidError,
  NodeNameInvalidError,
  NodeNameTakenError,
  openTokens,
  TokenWrongError,
  TooManyAttemptsError,
} from '../../../../src/server/join/join.ts';
import { CsrInvalidError, openPki } from '../../../../src/server/pki/pki.ts';
import { createCsrPem, createKeyPem } from '../../../../src/shared/certificates/certificates.ts';
import { silentLog } from '../../../../src/shared/log/log.ts';
import type { JoinRequest } from '../../../../src/shared/protocol/join.ts';
import { Secret } from '../../../../src/shared/secret.ts';
import { fakeClock } from '../../../helpers/clock.ts';
import { memoryKeyValue } from '../../../helpers/key-value.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const good = { secret: new Secret('server:s3cret'), address: '10.0.0.1' };

async function door() {
  const dir = temporaryDir();
  const pki = await openPki(joinPath(dir, 'tls'));
  const files = { token: joinPath(dir, 'a'), nodeToken: joinPath(dir, 'b'), agentToken: joinPath(dir, 'c') };
  const tokens = openTokens({ caHash: pki.serverCa.caHash, files, serverSecret: new Secret('s3cret') });
  const joinDoor = createJoinDoor({
    pki,
    tokens,
    passwords: createNodePasswords(memoryKeyValue()),
    wrongTokens: createWrongTokens(fakeClock()),
    settings: {
      clusterCidr: '10.42.0.0/16',
      serviceCidr: '10.43.0.0/16',
      clusterDns: '10.43.0.10',
      clusterDomain: 'cluster.local',
      flannelBackend: 'vxlan',
    },
    apiserverUrls: ['https://10.0.0.9:6443'],
    version: '1',
    log: silentLog,
  });
  return { pki, joinDoor };
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
  const { joinDoor } = await door();
  const { certificates } = await joinDoor.join(await request(), good);
  const subject = (pem: string) => new X509Certificate(pem).subject.split('\n');
  expect(subject(certificates.kubelet)).toEqual(['O=system:nodes', 'CN=system:node:box']);
  expect(subject(certificates.kubeProxy)).toEqual(['CN=system:kube-proxy']);
  expect(subject(certificates.flannel)).toEqual(['O=kagent:flannel', 'CN=system:kagent:flannel:box']);
  const serving = new X509Certificate(certificates.kubeletServing);
  expect(serving.subjectAltName).toBe('DNS:box, IP Address:10.0.0.5');
});

test("what a kubelet shows is not signed by the server's authority, so that no node can pose as the server", async () => {
  const { pki, joinDoor } = await door();
  const { certificates } = await joinDoor.join(await request({ nodeName: 'kubernetes' }), good);
  const serving = new X509Certificate(certificates.kubeletServing);
  expect(serving.verify(new X509Certificate(pki.serverCa.caPem).publicKey)).toBe(false);
  expect(serving.verify(new X509Certificate(pki.kubeletCa.caPem).publicKey)).toBe(true);
});

test('a wrong token is refused, and from the sixth on without being looked at', async () => {
  const { joinDoor } = await door();
  const wrong = { ...good, secret: new Secret('server:guess') };
  for (let guess = 0; guess < 5; guess++) expect(() => joinDoor.authenticate(wrong)).toThrow(TokenWrongError);
  expect(() => joinDoor.authenticate(good)).toThrow(TooManyAttemptsError);
  expect(() => joinDoor.authenticate({ ...good, address: '10.0.0.2' })).not.toThrow();
});

test('another machine does not get the name, the same machine does', async () => {
  const { joinDoor } = await door();
  await joinDoor.join(await request(), good);
  await joinDoor.join(await request(), good);
  const other = await request({ nodePassword: 'q'.repeat(64) });
  await expect(joinDoor.join(other, good)).rejects.toThrow(NodeNameTakenError);
});

test.each(['Box', 'a_b', '-a', 'a..b', 'system:node:other', 'a/b', 'a'.repeat(64)])(
  '%j cannot name a node',
  async (nodeName) => {
    const { joinDoor } = await door();
    await expect(joinDoor.join(await request({ nodeName }), good)).rejects.toThrow(NodeNameInvalidError);
  },
);

test.each(['127.0.0.1', '::1', '0.0.0.0', '::', '224.0.0.1', '255.255.255.255', 'box', '::ffff:127.0.0.1'])(
  '%s cannot be the address of a node',
  async (address) => {
    const { joinDoor } = await door();
    const asked = joinDoor.join(await request({ addresses: ['10.0.0.5', address] }), good);
    await expect(asked).rejects.toThrow(NodeAddressInvalidError);
  },
);

test('a joiner whose request is refused does not take the name', async () => {
  const { joinDoor } = await door();
  const csrs = { ...(await request()).csrs, flannel: 'junk' };
  await expect(joinDoor.join(await request({ csrs, nodePassword: 'q'.repeat(64) }), good)).rejects.toThrow(
    CsrInvalidError,
  );
  await joinDoor.join(await request(), good);
});
