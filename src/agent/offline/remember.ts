/** Keeps the memory up to date while a server is reached. */
import { setTimeout as delay } from 'node:timers/promises';
import { conditionTracker } from '../../shared/component/component.ts';
import type { Component, ComponentName } from '../../shared/component/component.ts';
import type { Log } from '../../shared/log/log.ts';
import { createKubeClient, KubeError, readCredentials, isJson, keyOf } from '../../kube/kube.ts';
import type { KubeObject, KubeClient } from '../../kube/kube.ts';
import type { Memory, Remembered } from './memory.ts';
import { allResources, pathOf, resources } from './resources.ts';
import type { Program, Resource, ResourceName } from './resources.ts';
import { usedByPods, usedByVolumes } from './used-by-pods.ts';

export interface RememberOptions {
  readonly after: readonly ComponentName[];
  readonly memory: Memory;
  readonly nodeName: string;
  readonly apiserverUrl: string;
  /** Whom it believes: the server alone, so that it never remembers its own answers. */
  readonly serverCaPath: () => string;
  readonly credentials: () => Readonly<Record<Program, { readonly certPath: string; readonly keyPath: string }>>;
  /** Whether the kubelet is told to hand service accounts to what knows passwords of registries. */
  readonly needsServiceAccounts: boolean;
  readonly log: Log;
}

/** Everything is read again after this time; a change of this node's pods is read at once. */
const everySeconds = 600;
const afterChangeMs = 3000;
const betweenLooksMs = 10_000;
const againAfterMs = 15_000;
const requestMs = 20_000;

/**
 * One watch, on this node's own pods, which the server ends after ten minutes:
 * read everything ─▶ watch the pods ──a change──▶ read what pods decide ──the watch ends──▶ from the beginning
 */
export function rememberComponent(options: RememberOptions): Component {
  const { after, log } = options;
  const condition = conditionTracker();
  const stopping = new AbortController();
  let work = Promise.resolve();

  const loop = async (): Promise<void> => {
    const { signal } = stopping;
    while (!signal.aborted) {
      const reader = createReader(options, signal);
      try {
        const podsVersion = await readAll(options, reader);
        condition.set('True', 'Remembered', '');
        await watchPods(options, reader, podsVersion, signal);
      } catch (error) {
        if (signal.aborted) return;
        // A server that is away is the load balancer's to tell of.
        log.debug('nothing new to remember', { error });
        condition.set('True', 'ServerAway', ''); // what is known stays known
      } finally {
        reader.close();
      }
      await delay(againAfterMs, undefined, { signal }).catch(() => {});
    }
  };

  return {
    name: 'offline-memory',
    after,
    async start() {
      condition.set('True', 'Started', '');
      work = loop();
    },
    async stop() {
      stopping.abort();
      await work;
      condition.set('False', 'Stopped', '');
    },
    health: () => condition.current(),
  };
}

interface Reader {
  list(resource: Resource, query: string): Promise<Remembered>;
  /** undefined: the server has none of that name. */
  get(resource: Resource, key: string): Promise<KubeObject | undefined>;
  watchPods(query: string, signal: AbortSignal): AsyncIterable<unknown>;
  close(): void;
}

/** Each resource is read by one of the node's programs that may read it. */
function createReader(options: RememberOptions, signal: AbortSignal): Reader {
  const { apiserverUrl: url, serverCaPath, credentials } = options;
  const clients = new Map<Program, KubeClient>();
  const clientOf = (program: Program): KubeClient => {
    const known = clients.get(program);
    if (known !== undefined) return known;
    const files = { caPath: serverCaPath(), ...credentials()[program] };
    const client = createKubeClient({ url, credentials: () => readCredentials(files), timeoutMs: requestMs });
    clients.set(program, client);
    return client;
  };
  const reading = (resource: Resource) => clientOf(resource.readers[0]);
  return {
    async list(resource, query) {
      const { metadata, items } = await reading(resource).get<KubeList>(
        `${resource.root}/${resource.name}${query}`,
        signal,
      );
      return { resourceVersion: metadata.resourceVersion, items: items ?? [], absent: [] };
    },
    get: (resource, key) => reading(resource).find(pathOf(resource, key), signal),
    watchPods: (query, until) => clientOf('kubelet').watch(`/api/v1/pods${query}`, until),
    close() {
      for (const client of clients.values()) client.close();
    },
  };
}

interface KubeList {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly KubeObject[] | null;
}

const ofNode = (nodeName: string) => `?fieldSelector=${encodeURIComponent(`spec.nodeName=${nodeName}`)}`;

/**
 * Pods first: a server that is away is found out with one question.
 * @returns the resourceVersion of the list of pods, from where they can be watched
 */
async function readAll(options: RememberOptions, reader: Reader): Promise<string> {
  const podsVersion = await readPods(options, reader, 'all');
  for (const resource of allResources) {
    const isApart = resource.extent === 'named' || resource === resources.pods || policyResources.includes(resource);
    if (!isApart) await readList(options, reader, resource);
  }
  await readPolicies(options, reader);
  return podsVersion;
}

const policyResources: readonly Resource[] = [resources.namespaces, resources.networkpolicies];

/** Who may not read namespaces is to enforce no policies, and remembers that there are none. */
async function readPolicies(options: RememberOptions, reader: Reader): Promise<void> {
  const { namespaces, networkpolicies } = resources;
  await attempt(options, networkpolicies, async () => {
    const found = await reader.list(namespaces, '').catch((error: unknown) => {
      if (error instanceof KubeError && error.status === 403) return undefined;
      throw error;
    });
    keep(options, namespaces, found ?? none);
    keep(options, networkpolicies, found === undefined ? none : await reader.list(networkpolicies, ''));
  });
}

const none: Remembered = { resourceVersion: '1', items: [], absent: [] };

/** What a new pod brings with it; what is known already is read again when everything is. */
async function readAfterChange(options: RememberOptions, reader: Reader): Promise<void> {
  await readPods(options, reader, 'new');
  await readList(options, reader, resources.services);
  await readList(options, reader, resources.endpointslices);
  await readPolicies(options, reader);
}

async function readList(options: RememberOptions, reader: Reader, resource: Resource): Promise<void> {
  const query = resource.extent === 'own' ? ofNode(options.nodeName) : '';
  await attempt(options, resource, async () => keep(options, resource, await reader.list(resource, query)));
}

/** Of what pods name: everything, or what is not known yet. */
type Which = 'all' | 'new';

async function readPods(options: RememberOptions, reader: Reader, which: Which): Promise<string> {
  const { nodeName, needsServiceAccounts } = options;
  const pods = await reader.list(resources.pods, ofNode(nodeName));
  const named = (name: ResourceName, keys: Iterable<string>) =>
    readNamed(options, reader, resources[name], new Set(keys), which);
  const used = usedByPods(pods.items);
  const claims = await named('persistentvolumeclaims', used.persistentvolumeclaims);
  const volumes = await named('persistentvolumes', claims.flatMap(volumeNameOf));
  const ofVolumes = usedByVolumes(volumes, nodeName);
  await named('volumeattachments', ofVolumes.volumeattachments);
  await named('secrets', [...used.secrets, ...ofVolumes.secrets]);
  await named('configmaps', used.configmaps);
  if (needsServiceAccounts) await named('serviceaccounts', used.serviceaccounts);
  await named('csinodes', [nodeName]);
  keep(options, resources.pods, pods); // last: what a remembered pod needs is remembered too
  return pods.resourceVersion;
}

/** Objects by their keys; those that nobody names any more are forgotten. @returns those that are known now */
async function readNamed(
  options: RememberOptions,
  reader: Reader,
  resource: Resource,
  keys: ReadonlySet<string>,
  which: Which,
): Promise<readonly KubeObject[]> {
  const before = options.memory.load(resource);
  const items = new Map((before?.items ?? []).map((item) => [keyOf(item), item]));
  for (const key of items.keys()) if (!keys.has(key)) items.delete(key);
  const absent = new Set((before?.absent ?? []).filter((key) => keys.has(key)));
  for (const key of keys) {
    if (which === 'new' && items.has(key)) continue;
    await attempt(options, resource, async () => {
      const object = await reader.get(resource, key);
      if (object === undefined) {
        items.delete(key);
        absent.add(key);
      } else {
        items.set(key, object);
        absent.delete(key);
      }
    });
  }
  const all = [...items.values()].toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  keep(options, resource, { resourceVersion: '', items: all, absent: [...absent] });
  return all;
}

/** A failure leaves what was known of this resource, and does not keep the others from being read. */
async function attempt({ log }: RememberOptions, resource: Resource, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    log.debug('not read to be remembered', { resource: resource.name, error });
  }
}

function keep({ memory, log }: RememberOptions, resource: Resource, remembered: Remembered): void {
  try {
    memory.save(resource, remembered);
  } catch (error) {
    log.warn('not remembered for a boot without the server', { resource: resource.name, error });
  }
}

function volumeNameOf({ spec }: KubeObject): readonly string[] {
  const name = isJson(spec) ? spec['volumeName'] : undefined;
  return typeof name === 'string' && name !== '' ? [name] : [];
}

/** Resolves when the server ends the watch. Its events are not read: that there is one is the news. */
async function watchPods(
  options: RememberOptions,
  reader: Reader,
  resourceVersion: string,
  stop: AbortSignal,
): Promise<void> {
  const changes = changeReader(options, reader);
  const signal = AbortSignal.any([stop, AbortSignal.timeout((everySeconds + 60) * 1000)]);
  const query = `${ofNode(options.nodeName)}&timeoutSeconds=${everySeconds}&resourceVersion=${resourceVersion}`;
  try {
    for await (const _ of reader.watchPods(query, signal)) changes.note();
  } finally {
    await changes.stop();
  }
}

/** Changes come in bursts: one look for each burst. */
function changeReader(options: RememberOptions, reader: Reader) {
  let timer: NodeJS.Timeout | undefined;
  let work = Promise.resolve();
  let lookedAtMs = -Infinity;
  const look = async (): Promise<void> => {
    timer = undefined;
    lookedAtMs = performance.now();
    try {
      await readAfterChange(options, reader);
    } catch (error) {
      options.log.debug('a change is not remembered yet', { error });
    }
  };
  return {
    note() {
      const waitMs = Math.max(afterChangeMs, lookedAtMs + betweenLooksMs - performance.now());
      timer ??= setTimeout(() => {
        work = work.then(look);
      }, waitMs);
    },
    async stop() {
      clearTimeout(timer);
      await work;
    },
  };
}
