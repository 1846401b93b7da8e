import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import { createKubeClient, readCredentials } from '../../src/kube/kube.ts';
import type { KubeClient } from '../../src/kube/kube.ts';
import { openPki } from '../../src/server/pki/pki.ts';
import { createKeyPem } from '../../src/shared/certificates/certificates.ts';
import { temporaryDir } from './temporary.ts';

/** What was asked, with its body. */
export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly contentType: string | undefined;
  readonly body: string;
  /** The name in the client's certificate. */
  readonly user: string | undefined;
}

/** An API server that answers what the test says, over TLS that asks for client certificates; and a client of it. */
export async function kubeServer(
  answer: (asked: Asked, response: ServerResponse) => void,
): Promise<{ readonly kube: KubeClient; readonly url: string; readonly caPem: string }> {
  const pki = await openPki(temporaryDir());
  const key = createKeyPem();
  const { certPem } = await pki.serverCa.issue({
    commonName: 'api',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    publicKey: createPublicKey(key),
  });
  const tls = { key, cert: certPem, ca: readFileSync(pki.clientCa.certFile), requestCert: true };
  const server = createServer({ ...tls, rejectUnauthorized: false }, (request, response) => {
    void asked(request).then((whole) => answer(whole, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const leaf = await pki.keepLeaf(pki.clientCa, { name: 'kagent', commonName: 'system:kagent', usages: ['client'] });
  const files = { caPath: pki.serverCa.certFile, certPath: leaf.certFile, keyPath: leaf.keyFile };
  const kube = createKubeClient({ url, credentials: () => readCredentials(files) });
  onTestFinished(() => kube.close());
  return { kube, url, caPem: pki.serverCa.caPem };
}

async function asked(request: IncomingMessage): Promise<Asked> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const { method = '', url = '', headers, socket } = request;
  const { subject } = (socket as TLSSocket).getPeerCertificate();
  const body = Buffer.concat(chunks).toString();
  return { method, url, contentType: headers['content-type'], body, user: subject?.CN as string | undefined };
}
