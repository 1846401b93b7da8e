/**
 * A light load of what users' tools ask: `node load.ts URL KUBECONFIG SECONDS`, on another host than the server's.
 * Two rounds a second of a dozen requests one after the other, and every ten seconds all pods as `kubectl get pods`
 * asks for them. Prints, as JSON, how long each request took, by verb, after how long an open watch told of what had
 * been posted, and what was refused.
 */
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { httpsAgent, httpRequest, openHttp } from '../../src/shared/http/http.ts';
import { readKubeconfig } from '../kube.ts';
import type { Verb } from './latency.ts';

export interface LoadResult {
  readonly timesMs: Partial<Record<Verb, readonly number[]>>;
  /** From the POST being sent. */
  readonly watchedAfterMs: readonly number[];
  readonly refusals: readonly string[];
}

interface Item {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
}
interface List {
  readonly items: readonly Item[];
  readonly metadata: { readonly continue?: string };
}

const [, , url = '', kubeconfig = '', seconds = '60'] = process.argv;
const roundMs = 500;
const roundsPerFullList = 20;

const agent = httpsAgent(readKubeconfig(kubeconfig));

const timesMs: Partial<Record<Verb, number[]>> = {};
const refusals: string[] = [];
const postedAt = new Map<string, number>();
const watchedAfterMs: number[] = [];
/** As kubectl prints. */
const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

async function ask<T>(verb: Verb, path: string, body?: unknown, accept = 'application/json'): Promise<T> {
  const method = verb === 'LIST' ? 'GET' : verb;
  const type = verb === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  const content = body === undefined ? {} : { body: JSON.stringify(body) };
  const headers = { accept, 'content-type': type };
  const began = performance.now();
  const reply = await httpRequest({ url: `${url}${path}`, method, headers, agent, timeoutMs: 60_000, ...content });
  (timesMs[verb] ??= []).push(performance.now() - began);
  if (reply.status >= 400) refusals.push(`${verb} ${path}: ${reply.status} ${reply.body.slice(0, 200)}`);
  return JSON.parse(reply.body) as T;
}

const any = <T>(list: readonly T[]) => list[Math.floor(Math.random() * list.length)];
const core = '/api/v1/namespaces/default';

async function round(number: number, nodes: readonly Item[], pods: readonly Item[]): Promise<void> {
  const name = `load-${number}`;
  postedAt.set(name, performance.now());
  const made = await ask<Item>('POST', `${core}/configmaps`, { metadata: { name }, data: { number: String(number) } });
  await ask('GET', `${core}/configmaps/${name}`);
  await ask('PUT', `${core}/configmaps/${name}`, { metadata: made.metadata, data: { text: 'x'.repeat(2000) } });
  await ask('PATCH', `${core}/configmaps/${name}`, { metadata: { labels: { patched: 'true' } } });
  await ask('LIST', `${core}/configmaps?limit=500`, undefined, table);
  await ask('DELETE', `${core}/configmaps/${name}`);

  const pod = any(pods)?.metadata.name ?? '';
  await ask('GET', `${core}/pods/${pod}`);
  await ask('PATCH', `${core}/pods/${pod}`, { metadata: { annotations: { seen: String(number) } } });
  await ask('GET', '/apis/apps/v1/namespaces/default/deployments/hollow');
  await ask('LIST', '/api/v1/nodes?limit=500', undefined, table);
  const node = any(nodes)?.metadata.name ?? '';
  await ask('GET', `/api/v1/nodes/${node}`);
  await ask('LIST', `/api/v1/pods?fieldSelector=spec.nodeName%3D${node}&limit=500`); // kubectl describe node
}

async function listAllPods(): Promise<void> {
  let next = '';
  do {
    const page: List = await ask(
      'LIST',
      `${core}/pods?limit=500&continue=${encodeURIComponent(next)}`,
      undefined,
      table,
    );
    next = page.metadata.continue ?? '';
  } while (next !== '');
}

async function watchConfigMaps(signal: AbortSignal): Promise<void> {
  const reply = await openHttp({ url: `${url}${core}/configmaps?watch=true`, agent }, signal);
  for await (const line of createInterface({ input: reply })) {
    const { type, object } = JSON.parse(line) as { readonly type: string; readonly object: Item };
    const at = postedAt.get(object.metadata.name);
    if (type === 'ADDED' && at !== undefined) watchedAfterMs.push(performance.now() - at);
  }
}

const ending = new AbortController();
watchConfigMaps(ending.signal).catch((error: unknown) => {
  if (!ending.signal.aborted) refusals.push(`the watch ended: ${String(error)}`);
});
const nodes = (await ask<List>('LIST', '/api/v1/nodes?labelSelector=hollow')).items;
const pods = (await ask<List>('LIST', `${core}/pods?labelSelector=app%3Dhollow&limit=500`)).items;
const began = performance.now();
for (let number = 0; performance.now() - began < Number(seconds) * 1000; number++) {
  const roundBegan = performance.now();
  await round(number, nodes, pods);
  if (number % roundsPerFullList === 0) await listAllPods();
  await delay(Math.max(0, roundMs - (performance.now() - roundBegan)));
}
ending.abort();
agent.destroy();
process.stdout.write(JSON.stringify({ timesMs, watchedAfterMs, refusals } satisfies LoadResult));
