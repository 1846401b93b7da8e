import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { KubeError } from '../../../src/kube/kube.ts';
import { kubeServer } from '../../helpers/kube-server.ts';
import type { Asked } from '../../helpers/kube-server.ts';

const node = { metadata: { name: 'box' } };

test('it shows its certificate and applies as one field manager', async () => {
  const seen: Asked[] = [];
  const { kube } = await kubeServer((asked, response) => {
    seen.push(asked);
    response.end(JSON.stringify(node));
  });
  await kube.apply('/api/v1/nodes/box', node, { force: true });
  await kube.mergePatch('/api/v1/nodes/box', { metadata: { labels: { a: null } } });
  expect(seen[0]).toEqual({
    method: 'PATCH',
    url: '/api/v1/nodes/box?fieldManager=kagent&force=true',
    contentType: 'application/apply-patch+yaml',
    body: JSON.stringify(node),
    user: 'system:kagent',
  });
  expect(seen[1]).toMatchObject({ contentType: 'application/merge-patch+json' });
});

test('what is deleted goes with what it owns, and only if it is the one that is meant', async () => {
  const seen: Asked[] = [];
  const { kube } = await kubeServer((asked, response) => {
    seen.push(asked);
    response.end('{}');
  });
  await kube.delete('/apis/batch/v1/namespaces/default/jobs/a', { uid: 'b-c' });
  expect(seen[0]).toMatchObject({ method: 'DELETE', contentType: 'application/json' });
  expect(JSON.parse(seen[0]?.body ?? '')).toEqual({ propagationPolicy: 'Background', preconditions: { uid: 'b-c' } });
});

test("a refusal carries the API's own words", async () => {
  const { kube } = await kubeServer((_asked, response) => {
    response.writeHead(403).end(JSON.stringify({ kind: 'Status', message: 'nodes "box" is forbidden' }));
  });
  const failure = kube.get('/api/v1/nodes/box');
  await expect(failure).rejects.toThrow(KubeError);
  await expect(failure).rejects.toThrow('GET /api/v1/nodes/box: kube-apiserver answers 403: nodes "box" is forbidden');
});

test('what is not there is undefined to find and an error to get', async () => {
  const { kube } = await kubeServer((_asked, response) => void response.writeHead(404).end('{}'));
  expect(await kube.find('/api/v1/nodes/box')).toBeUndefined();
  await expect(kube.get('/api/v1/nodes/box')).rejects.toThrow(KubeError);
});

test('a watch gives each event as it comes, however its bytes are cut, and ends with the server', async () => {
  const events = [
    { type: 'ADDED', object: node },
    { type: 'MODIFIED', object: { metadata: { name: 'box', labels: { a: 'é' } } } },
  ];
  const { kube } = await kubeServer((asked, response) => {
    expect(asked.url).toBe('/api/v1/nodes?fieldSelector=x&watch=true');
    const bytes = Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
    for (let at = 0; at < bytes.length; at += 7) response.write(bytes.subarray(at, at + 7));
    response.end();
  });
  const seen = await collected(kube.watch('/api/v1/nodes?fieldSelector=x', new AbortController().signal));
  expect(seen).toEqual(events);
});

test('watches keep no request waiting, however many there are', async () => {
  const { kube } = await kubeServer(({ url }, response) => {
    if (url.includes('watch=true')) response.writeHead(200).flushHeaders();
    else response.end(JSON.stringify(node));
  });
  const stop = new AbortController();
  const watches = Array.from({ length: 20 }, () => collected(kube.watch('/api/v1/nodes', stop.signal)).catch(() => {}));
  await delay(50);
  expect(await kube.get('/api/v1/nodes/box', AbortSignal.timeout(2000))).toEqual(node);
  stop.abort();
  await Promise.all(watches);
});

test('metadata alone is asked for as such', async () => {
  let items: readonly (typeof node)[] | null = [node];
  const { kube } = await kubeServer((_asked, response) => response.end(JSON.stringify({ items })));
  expect(await kube.metadata('/api/v1/nodes')).toEqual([node]);
  items = null; // as kube-apiserver says none
  expect(await kube.metadata('/api/v1/nodes')).toEqual([]);
});

test('a watch ends when its signal comes', async () => {
  const { kube } = await kubeServer((_asked, response) => {
    response.write(`${JSON.stringify({ type: 'ADDED', object: node })}\n`);
  });
  const stop = new AbortController();
  const follow = async () => {
    for await (const event of kube.watch('/api/v1/nodes', stop.signal)) stop.abort(new Error(event.type));
  };
  await expect(follow()).rejects.toThrow(/aborted|ADDED/);
});

test('a watch that the server breaks off with an error is an error', async () => {
  const { kube } = await kubeServer((_asked, response) => {
    response.end(`${JSON.stringify({ type: 'ERROR', object: { message: 'too old resource version' } })}\n`);
  });
  const watched = collected(kube.watch('/api/v1/nodes', new AbortController().signal));
  await expect(watched).rejects.toThrow('too old resource version');
});

async function collected<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

test('however many watches there are, a request is answered', async () => {
  const { kube } = await kubeServer(({ url }, response) => {
    if (url.includes('watch=true')) response.writeHead(200).flushHeaders();
    else response.end('{"metadata":{"name":"a"}}');
  });
  const stopping = new AbortController();
  const watches = Array.from({ length: 20 }, async () => {
    for await (const _ of kube.watch('/api/v1/nodes', stopping.signal)) break;
  });
  expect(await kube.get('/api/v1/nodes/a')).toEqual({ metadata: { name: 'a' } });
  stopping.abort();
  await Promise.allSettled(watches);
});
