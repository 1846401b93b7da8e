import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { nodeReady, podCidr, podsReported } from '../../../../src/agent/node/own-node.ts';
import { openPki } from '../../../../src/server/pki/pki.ts';
import { kubeServer } from '../../../helpers/kube-server.ts';
import { temporaryDir } from '../../../helpers/temporary.ts';
import { eventually } from '../../../helpers/wait.ts';

const goingDown = 'container runtime is fine, node is shutting down';

/** Who asks an API server for the node `a`. */
async function nodeAt(url: string, caPem: string) {
  const pki = await openPki(temporaryDir());
  const { certFile, keyFile } = await pki.keepLeaf(pki.clientCa, { name: 'n', commonName: 'n', usages: ['client'] });
  const caPath = join(temporaryDir(), 'ca.crt');
  writeFileSync(caPath, caPem);
  return { apiserverUrl: url, nodeName: 'a', caPath, certPath: certFile, keyPath: keyFile };
}

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
  return { lists, options: await nodeAt(url, caPem) };
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

test('what a node waits for on its way to its pods is said with what would help, step by step', async () => {
  let answer: readonly [number, object] = [404, {}];
  const { url, caPem } = await kubeServer((_asked, response) => {
    response.writeHead(answer[0]).end(JSON.stringify(answer[1]));
  });
  const options = { ...(await nodeAt(url, caPem)), clusterCidr: '10.42.0.0/24' };
  const said: string[] = [];
  const saysWait = (reason: string, message: string) => void said.push(`${reason}: ${message}`);
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const cidr = podCidr(options, saysWait, stop.signal);
  const last = (start: string) => eventually(() => said.at(-1)?.startsWith(start) === true && said.at(-1));
  expect(await last('NodeNotRegistered')).toContain('the kubelet has not registered the node a');
  answer = [403, {}];
  expect(await last('Refused')).toContain('refuses to show the node a (403)');
  answer = [200, { spec: {} }];
  expect(await last('NoPodCIDR')).toMatch(
    /has not given a a range .* 10\.42\.0\.0\/24 has none left; .*'kagent node rm NAME'/,
  );
  answer = [200, { spec: { podCIDR: '10.42.0.0/24' } }];
  expect(await cidr).toBe('10.42.0.0/24');
  const ready = nodeReady(options, saysWait, stop.signal);
  expect(await last('NodeNotReady')).toContain('the kubelet has not reported its state yet');
  const conditions = (status: string, message: string) => [{ type: 'Ready', status, message }];
  answer = [200, { spec: {}, status: { conditions: conditions('False', 'cni plugin not initialized') } }];
  await eventually(() => said.at(-1)?.includes('does not call a Ready: cni plugin not initialized'));
  answer = [200, { spec: {}, status: { conditions: conditions('True', '') } }];
  await ready;
  const away = nodeReady({ ...options, apiserverUrl: 'https://127.0.0.1:1' }, saysWait, stop.signal);
  expect(await last('ApiserverAway')).toContain('does not answer at https://127.0.0.1:1 (ECONNREFUSED)');
  stop.abort();
  await expect(away).rejects.toThrow('aborted');
});
