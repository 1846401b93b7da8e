import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { podsReported } from '../../../../src/agent/node/own-node.ts';
import { openPki } from '../../../../src/server/pki/pki.ts';
import { kubeServer } from '../../../helpers/kube-server.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';

const goingDown = 'container runtime is fine, node is shutting down';

/** An API server with one node and its pods' phases, one list an answer; the last one stays. */
async function nodeWith(message: string, ...phases: readonly (readonly string[])[]) {
  const lists: string[] = [];
  const { url, caPem } = await kubeServer(({ url: path }, response) => {
    if (path === '/api/v1/nodes/a') {
      response.end(JSON.stringify({ spec: {}, status: { conditions: [{ type: 'Ready', status: 'False', message }] } }));
      return;
    }
    const now = phases[Math.min(lists.push(path), phases.length) - 1] ?? [];
    response.end(JSON.stringify({ items: now.map((phase) => ({ status: { phase } })) }));
  });
  const pki = await openPki(temporaryDir());
  const { certFile, keyFile } = await pki.keepLeaf(pki.clientCa, { name: 'n', commonName: 'n', usages: ['client'] });
  const caPath = join(temporaryDir(), 'ca.crt');
  writeFileSync(caPath, caPem);
  return { lists, options: { apiserverUrl: url, nodeName: 'a', caPath, certPath: certFile, keyPath: keyFile } };
}

test('a node that goes down is waited for until none of its pods is called Running any more', async () => {
  const { lists, options } = await nodeWith(goingDown, ['Running', 'Failed'], ['Running'], ['Failed', 'Pending']);
  await podsReported(options);
  expect(lists).toEqual(Array(3).fill('/api/v1/pods?fieldSelector=spec.nodeName%3Da'));
});

test('a kubelet that has ended no pods has nothing to report, and an API that has gone is not waited for', async () => {
  const { lists, options } = await nodeWith('kubelet is posting ready status', ['Running']);
  await podsReported(options);
  expect(lists).toEqual([]);
  await podsReported({ ...options, apiserverUrl: 'https://127.0.0.1:1' });
});
